"""Fixtures that all tests share."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
from hypothesis import HealthCheck, settings
from PIL import Image

from tests.helpers import Fails
from workflow_scripts.core import digest
from workflow_scripts.core.errors import ERROR, PipelineError
from workflow_scripts.core.inputs import clear_inputs
from workflow_scripts.core.registry import members
from workflow_scripts.core.runtime.variables import limit_threads

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from tests.forkserver.environment import ForkServers

# A busy machine is no fault, and a run of the tests has the same examples as the last one.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
ROOT = Path(__file__).resolve().parents[1]
MEMORY = Path("/dev/shm")  # a file system in memory
LEAST_FREE = 4 << 30  # bytes there; all tests together need less

typer.main.get_command = cache(typer.main.get_command)  # tests run the command line some thousand times
limit_threads(1)  # the tensors of tests are small: more threads would only wait for each other


def roomy_memory() -> bool:
    """Whether temporary folders fit into memory, and programs in them can be started."""
    if not os.access(MEMORY, os.W_OK):
        return False
    status = os.statvfs(MEMORY)
    return status.f_bavail * status.f_frsize >= LEAST_FREE and not status.f_flag & os.ST_NOEXEC


if roomy_memory():  # pytest reads this when the first temporary folder is made
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def compile_package() -> None:
    """Write compiled code where it is missing or stale, even if Python is told to write none."""
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    for path in (ROOT / "workflow_scripts").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        with suppress(SyntaxError):
            find_spec(name).loader.get_code(name)  # type: ignore[union-attr]
    sys.dont_write_bytecode = written


def pytest_configure(config: pytest.Config) -> None:
    """Compile and digest the package once: copies of it take the result along, and their processes, thousands, do not.

    These processes write none, so a file that a test edits is compiled by each.
    """
    if not hasattr(config, "workerinput"):  # pytest-xdist's workers start after this
        compile_package()
        with suppress(PipelineError, OSError, SyntaxError, ValueError):  # the tests of the code that is wrong say so
            for stage in members(ROOT / "workflow_scripts" / "stages"):
                digest.code_digest(stage)
        digest._memory(ROOT).save()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files of slow tests: begun last, the longest would leave the other workers idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Say at the very end, which is what a short record of CI keeps, why a stage or command ended in an error."""
    for report in terminalreporter.getreports("failed"):
        for line in report.capstderr.splitlines():
            if line.startswith(ERROR):
                terminalreporter.write_line(f"{report.nodeid}: {line}")


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    """A context in which a stage ends with an error, whose line holds certain texts."""

    @contextmanager
    def within(*texts: str) -> Iterator[None]:
        with pytest.raises(SystemExit) as ended:
            yield
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert ended.value.code == 1 and last.startswith("error: ")
        assert all(text in last for text in texts), last

    return within


@pytest.fixture(autouse=True)
def own_inputs() -> Iterator[None]:
    """Forget which inputs the test verified: the folder of a test that passed is removed at once."""
    yield
    clear_inputs()


@pytest.fixture(autouse=True)
def own_seed() -> None:
    """What a test draws without a seed of its own does not depend on the tests that ran before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_field_limit() -> Iterator[None]:
    """The longest field of CSV files is a setting of the whole process; readers of large tables raise it."""
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is not here")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty results folder."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that the ordinary user reaches."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_")) and folder.owner() == "root":
            folder.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="session")
def servers() -> "Iterator[ForkServers]":
    """Servers that run Snakemake and its jobs without importing the libraries again and again."""
    from tests.forkserver.environment import fork_servers

    with fork_servers() as made:
        yield made


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small BLIP-2 checkpoints: ``captioner`` and ``matcher``."""
    from tests.captions.small_blip2 import save_checkpoints

    return save_checkpoints(tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Nine RGB images of several sizes."""
    from tests.captions.small_blip2 import draw_pictures

    return draw_pictures()
