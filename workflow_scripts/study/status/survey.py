"""The progress of a study, from its results folder and logs alone: it may run elsewhere, or have stopped."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import last_error
from workflow_scripts.core.files.names import work_folder
from workflow_scripts.core.runtime.job_log import log_of_artifact, logged_work_folder
from workflow_scripts.core.runtime.progress import PROGRESS, Progress
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES
from workflow_scripts.study.active_config import units_of
from workflow_scripts.study.config.stages import stages_in_order
from workflow_scripts.study.freshness import outdated
from workflow_scripts.study.terminal.jobs import read_figures

INTERRUPTED = "interrupted in "
SILENT_AFTER = 300.0  # seconds; a job with a progress file updates it every second, its log once a minute


class State(StrEnum):
    """The state of a job, as far as its files show."""

    FINISHED = "finished"
    RUNNING = "running"
    SILENT = "silent"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True)
class Job:
    """One artifact of a study and the job that makes it.

    Attributes:
        log: path of its log; None if there is none.
        seen: time of its last output, in seconds since the epoch.
        error: its error message, without ``error:``.
        progress: its progress, if it reports any.
        curve: latest value in each column of its training curve, if it trains.
    """

    stage: str
    name: str
    state: State
    log: Path | None = None
    seen: float | None = None
    error: str = ""
    progress: Progress | None = None
    curve: dict[str, float | None] | None = None


@dataclass(frozen=True)
class Status:
    """The progress of a study.

    Attributes:
        study: its folder.
        jobs: stage -> its jobs, in the order of the workflow.
        planned: whether the config is known, and with it the jobs that have not started yet.
        outdated: with which other settings its summary was made; empty if with those of the known config.
    """

    study: Path
    jobs: dict[str, list[Job]]
    planned: bool
    outdated: str = ""

    def of_state(self, *states: State) -> list[Job]:
        """All jobs in one of these states."""
        return [job for jobs in self.jobs.values() for job in jobs if job.state in states]


def survey(study: Path, now: float) -> Status:
    """Determine the progress of a study from its files.

    Args:
        now: seconds since the epoch.

    Raises:
        PipelineError: the note of the study's config is damaged, or a config file is faulty.
        OSError: a file exists but can't be read.
    """
    units = units_of(study.parent, study.name)
    jobs: dict[str, list[Job]] = {}
    for stage in stages_in_order():
        names = _found(study, stage) if units is None else units.needed(stage)
        if names:
            jobs[stage] = [_job(study, stage, name, now) for name in names]
    return Status(study, jobs, units is not None, "" if units is None else outdated(study, units))


def _found(study: Path, stage: str) -> list[str]:
    """Names of the stage's artifacts that are finished or have a log."""
    finished = {path.name.removesuffix(MANIFEST) for path in (study / stage).glob(f"*{MANIFEST}")}
    return sorted(finished | {path.stem for path in log_of_artifact(study / stage / "any").parent.glob("*.log")})


def _job(study: Path, stage: str, name: str, now: float) -> Job:
    log = log_of_artifact(study / stage / name)
    finished, logged = _written(study / stage / f"{name}{MANIFEST}"), _written(log)
    if logged is None:
        return Job(stage, name, State.WAITING if finished is None else State.FINISHED)
    if finished is not None and finished >= logged:
        return Job(stage, name, State.FINISHED, log, finished)
    error = last_error(log.read_text(errors="replace"))
    if error.startswith(INTERRUPTED):  # by Ctrl-C, which is no failure
        return Job(stage, name, State.WAITING, log, logged)
    if error:
        return Job(stage, name, State.FAILED, log, logged, error)
    named = logged_work_folder(log)
    work = None if named is None else work_folder(study.parent, named.parent.name, named.name)
    if finished is not None and (work is None or not work.is_dir()):
        return Job(stage, name, State.FINISHED, log, finished)
    signs = [] if work is None else [_written(work / file) for file in (PROGRESS, CURVE_LINES)]
    seen = max([logged, *(sign for sign in signs if sign is not None)])
    state = State.RUNNING if now - seen < SILENT_AFTER else State.SILENT
    if work is None:
        return Job(stage, name, state, log, seen)
    figures = read_figures(work)
    return Job(stage, name, state, log, seen, "", figures.progress, figures.curve or None)


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
