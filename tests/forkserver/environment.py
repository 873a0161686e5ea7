"""A virtual environment whose ``python`` and ``snakemake`` are run by fork servers, for tests of whole studies.

Four fifths of a small job's time are imports of libraries. Each process imports the project's own code itself.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.workflow.checkout import as_user, give_to_user
from workflow_scripts.core.runtime.variables import THREAD_VARIABLES

HERE = Path(__file__).parent
COMMANDS = {
    "python": (
        "torch",
        "transformers.models.auto",
        "transformers.models.blip_2",
        "transformers.models.bert",
        "sentence_transformers",
        "torchvision.models",
        "torchvision.datasets",
        "accelerate",
        "pytorch_grad_cam",
        "sklearn.linear_model",
        "scipy.stats",
        "scipy.optimize",
        "pyarrow.parquet",
        "pyarrow.compute",
        "pyarrow.csv",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "PIL.Image",
        "aiohttp",
        "uvloop",
        "faiss",
        "ijson",
        "py3langid.langid",
        "jinja2",
        "pydantic",
        "yaml",
        "humanize",
        "safetensors.torch",
        "pytest",
    ),
    "snakemake": (
        "snakemake.cli",
        "snakemake.profiles",
        "snakemake.report.html_reporter",
        "snakemake.storage",
        "requests",
        "smart_open",
        "yarl",
        "PIL.Image",
        "pydantic",
        "yaml",
        "rich.console",
        "rich.live",
        "humanize",
    ),
}


class ForkServers:
    """The environment in ``folder``, and its servers.

    Args:
        commands: ``python`` and ``snakemake``, and the modules that their servers import.
        preload: a library in the servers, for commands that have it as ``LD_PRELOAD`` and as ``SERVER_PRELOAD``.
        user: command prefix that makes the servers another user's; None for the ordinary user.

    Attributes:
        bin: the environment's folder of commands.
        snakemake: a Snakemake that is run by a server, as are its jobs.
        jobs_only: an ordinary process of Snakemake, whose jobs are run by a server.
    """

    def __init__(
        self,
        folder: Path,
        commands: Mapping[str, Sequence[str]] = COMMANDS,
        preload: Path | None = None,
        user: Sequence[str] | None = None,
    ) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())
        for name in ("lib", "lib64"):
            if (Path(sys.prefix) / name).exists():
                (folder / name).symlink_to(Path(sys.prefix) / name)
        outside = str(sys.prefix == sys.base_prefix).lower()
        base = Path(sys.executable).resolve().parent
        (folder / "pyvenv.cfg").write_text(f"home = {base}\ninclude-system-site-packages = {outside}\n")
        script = self.bin / "snakemake-script"
        script.symlink_to(Path(sys.executable).with_name("snakemake"))
        for name in commands:
            client = self.bin / name
            client.write_text(f"#!{self.bin / 'python3'} -IS\n{(HERE / 'client.py').read_text()}")
            client.chmod(0o755)
        self.snakemake = (str(self.bin / "snakemake"),)
        self.jobs_only = (str(self.bin / "python3"), str(script))
        give_to_user(folder)
        self._user = as_user() if user is None else user
        self._preload = {} if preload is None else {"LD_PRELOAD": str(preload)}
        self._servers = [self._start(name, modules) for name, modules in commands.items()]
        for server in self._servers:
            assert server.stdout is not None and server.stdout.readline() == b"ready\n"

    def _start(self, name: str, modules: Sequence[str]) -> subprocess.Popen[bytes]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPCOVER", "PYTEST_", "PYTHON"))}
        home = {"HOME": str(self.bin.parent), "XDG_CACHE_HOME": str(self.bin.parent)}
        threads = dict.fromkeys(THREAD_VARIABLES, "1")
        script = "-m" if name == "python" else str(self.bin / "snakemake-script")
        words = [str(HERE / "server.py"), str(self.bin / f"{name}.socket"), script, *modules]
        fixed = {"PYTHONHASHSEED": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return subprocess.Popen(
            [*self._user, str(self.bin / "python3"), "-P", *words],
            env={**kept, **home, **threads, **fixed, **self._preload},
            cwd=self.bin.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        """End the servers, and wait for what they run."""
        for server in self._servers:
            server.communicate()


@contextmanager
def fork_servers(preload: Path | None = None, user: Sequence[str] | None = None) -> Iterator[ForkServers]:
    """Servers in a temporary folder; arguments as of :class:`ForkServers`."""
    with tempfile.TemporaryDirectory(prefix="fork-") as name:  # the path of a socket must be short
        folder = Path(name)
        folder.chmod(0o755)
        made = ForkServers(folder, preload=preload, user=user)
        try:
            yield made
        finally:
            made.close()
