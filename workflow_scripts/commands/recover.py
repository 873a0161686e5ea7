"""``faithful-pairs recover``: end the jobs of a killed Snakemake, then start a command.

SLURM's queue may hold its jobs, which the next Snakemake does not find; and its locks are left. What else a kill leaves
in ``results`` is skipped or repaired by the next run, and removed by ``cache-gc``.
"""

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, NamedTuple

import typer

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed

SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_BETWEEN_LINES = 60.0


def command(
    then: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="command to start then; put -- before it"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="wait for running jobs; cancel those waiting in the queue")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="cancel all jobs")] = False,
) -> None:
    """End the jobs and locks that a killed Snakemake left.

    A killed Snakemake leaves its SLURM jobs in the queue, and the next one does not find them. This command finds the
    jobs that were submitted from this folder, and waits for them (--wait) or cancels them (--cancel). It then removes
    Snakemake's locks and starts the command given after --. If there are jobs and neither option is given, it only
    lists them. Run it on the machine where Snakemake ran, in the folder where it was started.

    \b
    Examples:
      faithful-pairs recover
      faithful-pairs recover --wait -- snakemake --profile profiles/slurm

    \b
    Exit status:
      0  done; with a command, the command's own status
      1  jobs are left, Snakemake is still running here, or SLURM does not answer
      2  wrong usage
    """
    if wait and cancel:
        raise typer.BadParameter("give --wait or --cancel, not both", param_hint="--cancel")
    done = recover(Path.cwd(), "wait" if wait else "cancel" if cancel else None)
    sys.stdout.flush()
    if not done:
        raise typer.Exit(1)
    if then:
        try:
            os.execvp(then[0], then)
        except FileNotFoundError:
            advice = "no jobs are left; after --, give an existing command, or none"
            raise PipelineError("unknown command", "the command line", then[0], advice) from None


class Orphan(NamedTuple):
    """A job in SLURM's queue that a Snakemake submitted from this folder."""

    number: str
    state: str
    what: str


def living(folder: Path, processes: Path = Path("/proc")) -> list[int]:
    """Pids of Snakemakes on this machine that were started in ``folder`` and submit jobs (not those inside jobs)."""
    found = []
    for process in processes.glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = os.path.samefile(process / "cwd", folder)
        except OSError:  # it ended, or belongs to another user
            continue
        inside_job = any(word in (b"slurm-jobstep", b"--mode", b"--local-groupid") for word in words)
        if here and not inside_job and any(Path(os.fsdecode(word)).name == "snakemake" for word in words[:3]):
            found.append(int(process.name))
    return sorted(found)


def orphans(folder: Path) -> list[Orphan]:
    """This user's jobs in the queue that were submitted by a Snakemake from ``folder``.

    Raises:
        PipelineError: SLURM does not answer.
    """
    wanted = "%i|%T|%k|%Z"  # number, state, comment, working directory
    command = ["squeue", "--noheader", f"--user={os.getuid()}", f"--format={wanted}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return []  # no SLURM on this machine, so no jobs either
    except subprocess.TimeoutExpired:
        raise PipelineError("no answer from SLURM", command[0], "60 s", "try again later") from None
    if done.returncode:
        raise PipelineError("SLURM refused", " ".join(command), done.stderr.strip(), "try again later")
    jobs = [line.strip().split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
    return [
        Orphan(number, state, comment.removeprefix("rule_"))
        for number, state, comment, place in jobs
        if comment.startswith("rule_") and Path(place) == folder
    ]


def wait_for_end(folder: Path) -> None:
    """Wait until no job of ``folder`` is left; print their number once a minute."""
    said = -SECONDS_BETWEEN_LINES
    while left := orphans(folder):
        if monotonic() - said >= SECONDS_BETWEEN_LINES:
            said = monotonic()
            sys.stdout.write(f"waiting for {len(left)} jobs: {' '.join(job.number for job in left[:10])}\n")
            sys.stdout.flush()
        sleep(SECONDS_BETWEEN_LOOKS)


def unlock(folder: Path) -> int:
    """Remove Snakemake's lock files; returns their number. `rerun-incomplete` recomputes what was incomplete."""
    from workflow_scripts.removal.deletion import SNAKEMAKE, delete

    return len(delete(folder / "results", (folder / SNAKEMAKE / "locks").glob("*.lock")))


def recover(folder: Path, how: str | None) -> bool:
    """End the jobs and remove the locks of a killed Snakemake. Returns False if jobs are left.

    Args:
        folder: where it was started.
        how: ``wait``, ``cancel`` or None (list only).

    Raises:
        PipelineError: Snakemake is still running here, or SLURM does not answer.
    """
    if pids := living(folder):
        advice = "nothing needs repair; to start over, stop it first (Ctrl-C cancels its jobs)"
        raise PipelineError("Snakemake is running", folder, "pid " + " ".join(map(str, pids)), advice)
    found = orphans(folder)
    for job in found:
        sys.stdout.write(printed([f"job {job.number} ({job.what}) is {job.state}, but its Snakemake is not running"]))
    if not found:
        sys.stdout.write("no jobs without a running Snakemake\n")
    elif how is None:
        sys.stdout.write("--wait waits for running jobs and cancels those in the queue; --cancel cancels all\n")
        return False
    if numbers := [job.number for job in found if how == "cancel" or job.state == "PENDING"]:
        subprocess.run(["scancel", *numbers], check=False, timeout=60)  # one that has ended already is ignored
    wait_for_end(folder)
    if locks := unlock(folder):
        sys.stdout.write(f"removed {locks} lock files\n")
    return True
