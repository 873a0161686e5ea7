"""A copy of the checkout of its own, used as an ordinary user: as root, permission faults would stay hidden."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65_534
CONFIG = ("--profile", "profiles/demo", "--configfile", "tests/config/tiny.yaml")
NANO = ("--profile", "profiles/demo", "--configfile", "tests/config/nano.yaml")
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".snakemake", "results", "*.egg-info", ".*_cache", ".hypothesis", ".coverage*"
)


def as_user() -> list[str]:
    """Command prefix that drops root; reading stays allowed, since the interpreter may lie in root's home."""
    if os.getuid() != 0:
        return []
    powers = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *powers]


def give_to_user(folder: Path) -> None:
    """Make everything below ``folder`` the ordinary user's own."""
    if os.getuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


class Checkout:
    """A clone-like copy of the project in an empty folder.

    Attributes:
        study: whose results are looked at.
        snakemake: how Snakemake is started.
    """

    study = "tiny"
    snakemake: Sequence[str] = (str(Path(sys.executable).with_name("snakemake")),)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=NOT_COPIED, symlinks=True)
        (folder / "results").mkdir()
        give_to_user(folder)
        for parent in folder.parents:
            if parent.owner() == "root" and parent.name.startswith(("pytest-", "popen-", "test_", "workflow")):
                parent.chmod(0o755)

    def copy_to(self, folder: Path) -> "Checkout":
        """A copy in ``folder``, Snakemake's memory and hard links to the cache included."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        copy = self.at(folder, self.study)
        copy.snakemake = self.snakemake
        return copy

    @classmethod
    def at(cls, folder: Path, study: str) -> Self:
        """The checkout that is in ``folder``."""
        found = object.__new__(cls)
        found.folder, found.study = folder, study
        return found

    def environment(self) -> dict[str, str]:
        """The environment of the user: a home of their own, nothing of the coverage or worker settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPCOVER", "PYTEST_"))}
        return {**kept, "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(self.folder)}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Snakemake on the small study, in a process group of its own."""
        # A shell's background job ignores SIGINT, and so would its children.
        command = ["env", "--default-signal=INT", *as_user(), *self.snakemake, *(words or CONFIG)]
        log = open(self.folder / "terminal.txt", "wb")  # noqa: SIM115 - the process outlives this call
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(), stdout=log, stderr=log, start_new_session=True
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Exit status and terminal output of Snakemake."""
        status = self.start(*words).wait(timeout=3600)
        return status, (self.folder / "terminal.txt").read_text(errors="replace")

    def finish(self, *words: str) -> str:
        """What Snakemake printed, which must succeed."""
        status, printed = self.run(*words)
        assert status == 0, printed[-4000:]
        return printed

    def records(self, since: str = "") -> dict[str, dict[str, Any]]:
        """Run records of the study by ``<stage>/<name>``, those that started after ``since``."""
        base = self.folder / "results" / self.study
        found = {}
        for path in sorted(base.glob("*/*.run.json")):
            record = json.loads(path.read_bytes())
            if record["start"] > since:
                found[f"{path.parent.name}/{path.name.removesuffix('.run.json')}"] = record
        return found

    def hashes(self) -> dict[str, str]:
        """sha256 of every artifact file: manifests and all data files that they name."""
        found = {}
        for manifest in sorted((self.folder / "results" / self.study).glob("*/*.manifest.json")):
            stem = str(manifest).removesuffix(".manifest.json")
            for path in [str(manifest), *(f"{stem}{suffix}" for suffix in json.loads(manifest.read_bytes())["files"])]:
                found[str(Path(path).relative_to(self.folder))] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return found

    def clear(self) -> None:
        """Back to a checkout without results."""
        shutil.rmtree(self.folder / "results")
        shutil.rmtree(self.folder / ".snakemake", ignore_errors=True)
        (self.folder / "results").mkdir()
        give_to_user(self.folder / "results")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a source file; it must be there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, (file, old)
        path.write_text(text.replace(old, new))

    def draw_no_figures(self) -> Self:
        """Leave the figures of reports empty: drawing them is most of a report's time."""
        self.edit("workflow_scripts/reporting/figures.py", "self.draw(canvas)", "pass")
        return self

    def touch_all(self, seed: int) -> None:
        """Set the times of all files to now, in random order."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
        random.Random(seed).shuffle(paths)
        for path in paths:
            os.utime(path)


def now() -> str:
    """The time as run records write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
