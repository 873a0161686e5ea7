"""Why a run failed, in one line for each job, from Snakemake's log."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import last_error
from workflow_scripts.core.errors.text import plain
from workflow_scripts.core.files.storage_errors import bus_error, full_disk
from workflow_scripts.core.runtime.job_log import artifact_of_log

INTERRUPTION = "Terminating processes on user request"  # what Snakemake logs on Ctrl-C
INTERRUPTED = "error: interrupted in Snakemake: Ctrl-C; run the same command again to continue"
CRASHES = ("Traceback (most recent call last)", "Fatal Python error")  # in the log of a job that was not killed
_LOG = re.compile(r" +log: (.+?) \(check log file")
_MESSAGE = re.compile(r" +message: (?!None$)(.+)")
_RULE = re.compile(r" *Error in rule \w+:$")
_GROUP = re.compile(r" +message: Error in group ")
_SLURM_LOG = re.compile(r"/(\d+)\.log$")


@dataclass
class _Failure:
    """An `Error in rule` of the log, or that of a group of rules that shared a SLURM job."""

    group: bool
    message: str = ""
    logs: list[str] = field(default_factory=list)


def slurm_state(job: str) -> str:
    """SLURM's state of a job, such as TIMEOUT; empty if SLURM does not know it (any more)."""
    command = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def last_lines(text: str, log: Path, state_of: Callable[[str], str] = slurm_state) -> list[str]:
    """The last lines of a run that did not finish: what to do next, then each error below the logs of its jobs.

    Jobs that Ctrl-C ended do not count as failures.

    Args:
        text: Snakemake's log.
        log: its path.
        state_of: returns SLURM's final state of a job, given its number.
    """
    before, interrupted, _ = text.partition(INTERRUPTION)
    lines, found = [], failures(before, state_of)
    if found:
        jobs = sum(map(len, found.values()))
        again = "Finished jobs are kept: fix the errors, then run the same command again."
        lines += [f"{jobs} job{'s' if jobs > 1 else ''} failed. {again}", f"Snakemake's log: {os.path.relpath(log)}"]
    for error, logs in found.items():
        more = f" and {len(logs) - 1} more" if len(logs) > 1 else ""
        lines += [f"log: {logs[0]}{more}", error]
    return [*map(plain, lines), INTERRUPTED] if interrupted else [*map(plain, lines)]


def failures(text: str, state_of: Callable[[str], str] = slurm_state) -> dict[str, list[str]]:
    """The ``error: ...`` lines of a failed run, in the order in which jobs failed, and the logs of the jobs of each.

    The error of a stage is quoted. A job that SLURM ended (cancelled, out of time or memory, node lost) or never
    accepted is listed with SLURM's state and its logs. Jobs that failed and succeeded later are left out.
    Arguments as for :func:`last_lines`.
    """
    found: dict[str, tuple[str, str]] = {}
    group = _Failure(True)
    for failure in _failures(text):
        if failure.group:
            group = failure  # its rules follow, one by one
            continue
        stage, *slurm = failure.logs or [""]
        if not slurm and stage in group.logs[1:]:
            slurm = group.logs[:1]
        if not _is_done(stage):
            logs = ", ".join(filter(None, [stage, *slurm]))
            found[stage] = (_line(failure.message, stage, slurm, state_of), logs)
    lines: dict[str, list[str]] = {}
    for line, logs in found.values():
        lines.setdefault(line, []).append(logs)
    return lines


def _failures(text: str) -> list[_Failure]:
    failures: list[_Failure] = []
    for line in text.splitlines():
        if _RULE.match(line):
            failures.append(_Failure(False))
        elif _GROUP.match(line) or not line.startswith(" "):  # the latter ends the lines of a failure
            failures.append(_Failure(True))
        elif message := _MESSAGE.match(line):
            failures[-1].message = failures[-1].message or message[1]
        elif logs := _LOG.match(line):
            failures[-1].logs += logs[1].split(", ")
    return [failure for failure in failures if failure.logs or not failure.group]


def _is_done(log: str) -> bool:
    """Whether the artifact of a log ``<study>/logs/<stage>/<name>.log`` exists."""
    artifact = artifact_of_log(Path(log))
    return artifact is not None and Path(f"{artifact}{MANIFEST}").exists()


def _line(message: str, stage: str, slurm: list[str], state_of: Callable[[str], str]) -> str:
    logs = ", ".join(filter(None, [stage, *slurm]))
    number = _SLURM_LOG.search(slurm[0]) if slurm else None
    state = state_of(number[1]) if number else ""
    if number and state not in ("", "FAILED", "COMPLETED"):
        again = "run the same command again to continue"
        return f"error: SLURM ended job {number[1]}: {state}; logs: {logs}; {again}"
    text = Path(stage).read_text(errors="replace") if stage and Path(stage).is_file() else ""
    if error := last_error(text):
        return f"error: {error}"
    if known := bus_error(text, Path(stage)) or (full_disk(Path(stage)) if stage and not text else None):
        return f"error: {known}"
    if not message and Path(stage).is_file() and not any(word in text for word in CRASHES):
        advice = "give it more memory or fewer workers, then run the same command again"
        return f"error: job killed from outside in {logs}: often for lack of memory; {advice}"
    return f"error: {message or 'job died without a message'} in {logs}; read {'it' if not slurm else 'them'}"
