"""The live cluster as the tests use it, and an ordinary user's clone on it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.checkout import NOBODY, Checkout, give_to_user
from workflow_scripts.commands.recover import living
from workflow_scripts.pretraining.training.checkpoint import step_reached

HERE = Path(__file__).resolve().parent
LAB = Path(os.environ.get("SLURM_LAB", "/var/tmp/faithful-pairs-slurm"))
CANNOT = 77  # status of cluster-up.sh
WITHOUT_RIGHTS = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
STUDY = ("--profile", "slurm", "--configfile", "tests/config/tiny.yaml", "tests/slurm/judged.yaml")


def shell(*words: str, check: bool = True) -> str:
    """Output of a command."""
    return subprocess.run(words, check=check, capture_output=True, text=True, timeout=120).stdout


def until(condition: Callable[[], Any], seconds: float = 900) -> Any:
    """The first true value of ``condition``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    raise AssertionError("waited too long")


def up() -> None:
    """Bring the cluster up, or its node back; skips the test where there can be none."""
    done = subprocess.run([HERE / "cluster-up.sh"], check=False)
    if done.returncode == CANNOT:
        pytest.skip("no SLURM can be installed here; see above")
    done.check_returncode()


def stop_node() -> None:
    """Stop the slurmd of the node that jobs run on; they go on without it."""
    subprocess.run(["bash", "-c", f". '{HERE}/common.sh'; stop_daemon slurmd.node1"], check=True)


def end_processes_of(job: str) -> None:
    """Kill a job's processes on this machine, and the daemon that watches them."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            watches = (process / "cmdline").read_bytes().startswith(f"slurmstepd: [{job}.".encode())
            if watches or f"SLURM_JOB_ID={job}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


def jobs(rule: str = "", state: str = "") -> list[str]:
    """Numbers of the user's jobs in the queue, by the start of what they run and by state."""
    lines = shell("squeue", "--noheader", f"--user={NOBODY}", "--format=%i|%T|%k").splitlines()
    rows = [line.split("|") for line in lines]
    return [job for job, now, what in rows if what.startswith(f"rule_{rule}") and now.startswith(state)]


def asked_for(job: str) -> dict[str, str]:
    """What `scontrol show job` says of a job."""
    words = shell("scontrol", "--oneliner", "show", "job", job).split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def finished_jobs() -> dict[str, dict[str, str]]:
    """SLURM's own records of jobs that ended, by number."""
    lines = (LAB / "log" / "jobcomp.txt").read_text().splitlines()
    records = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return {record["JobId"]: record for record in records}


def give_up(process: subprocess.Popen[bytes]) -> None:
    """End a Snakemake and all jobs of its user."""
    process.kill()
    process.wait()
    shell("scancel", f"--user={NOBODY}")


def end_all(folder: Path) -> None:
    """End every Snakemake that was started in a folder, and all jobs of its user."""
    for pid in living(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shell("scancel", f"--user={NOBODY}")
    until(lambda: not jobs())


class Clone(Checkout):
    """A clone in a path with a space; its user has no rights and a home without any configuration of Snakemake.

    Attributes:
        commands: folder of the `python` of its jobs.
    """

    commands = Path(sys.executable).parent

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "home").mkdir()
        os.chown(folder / "home", NOBODY, NOBODY)

    def environment(self) -> dict[str, str]:
        """Next to nothing: what a login shell has, and the project's environment first in PATH."""
        path = f"{self.folder / 'tests/slurm/bin'}:{self.commands}:/usr/bin:/bin"
        return {"HOME": str(self.folder / "home"), "PATH": path, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}

    def call(self, *words: str) -> subprocess.Popen[bytes]:
        """A command of the user, in a session of its own; what it prints goes to terminal.txt."""
        with open(self.folder / "terminal.txt", "wb") as log:
            return subprocess.Popen(
                [*WITHOUT_RIGHTS, *words],
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Snakemake on the small study; overlays may come first."""
        return self.call("snakemake", *STUDY, *words)

    def printed(self) -> str:
        """What the last command printed so far."""
        return (self.folder / "terminal.txt").read_text(errors="replace")

    def ends_well(self, process: subprocess.Popen[bytes], seconds: float = 900) -> str:
        """What a command printed that must end with status 0."""
        status = process.wait(timeout=seconds)
        assert status == 0, self.printed()[-4000:]
        return self.printed()

    def copy_to(self, folder: Path) -> "Clone":
        """A copy of this clone with its results, hard links and Snakemake's memory included."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        copy = object.__new__(Clone)
        copy.folder = folder
        return copy

    def write(self, name: str, text: str) -> str:
        """Write a file of the user's, such as an overlay; gives its name."""
        (self.folder / name).write_text(text)
        give_to_user(self.folder / name)
        return name

    def forget(self, *stages: str) -> None:
        """Remove artifacts of stages and their cache entries."""
        for stage in stages:
            for folder in (self.folder / "results/tiny" / stage, self.folder / "results/.cache" / stage):
                shutil.rmtree(folder, ignore_errors=True)

    def forget_runs(self) -> None:
        """Remove all training runs, and what is made of all runs together."""
        self.forget("pretrain", "summary", "report")

    def again(self, *stages: str) -> list[str]:
        """Forget all artifacts of some stages; gives the words that have Snakemake make them, and nothing else."""
        found = [path for stage in stages for path in (self.folder / "results/tiny" / stage).glob("*.manifest.json")]
        self.forget(*stages)
        return [*self.only(*stages), *sorted(str(path.relative_to(self.folder)) for path in found)]

    @staticmethod
    def only(*stages: str) -> list[str]:
        """Words that keep Snakemake to some rules; targets follow."""
        return ["--rerun-triggers", "mtime", "--allowed-rules", *stages, "--"]

    def reached(self) -> int:
        """The highest step that a training run in progress has kept; 0 when none has."""
        works = (self.folder / "results/.work/pretrain").glob("*/")
        return max((step_reached(work) for work in works), default=0)

    def tell_stages(self, number: signal.Signals) -> None:
        """Send a signal to the stages that run in this clone."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                words = (process / "cmdline").read_bytes()
                if b"workflow_scripts.stages." in words and (process / "cwd").samefile(self.folder):
                    os.kill(int(process.name), number)
