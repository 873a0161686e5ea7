"""The jobs of a run, tracked from Snakemake's log records, and their live figures."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from logging import LogRecord
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import FIGURES
from workflow_scripts.core.runtime.job_log import logged_work_folder
from workflow_scripts.core.runtime.progress import Progress, read_progress
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES, PEAKS, read_curve

TARGETS = "all"  # the rule that only names what is to be made; its job is not counted


@dataclass(eq=False)
class StartedJob:
    """A job that was started, or submitted to a cluster.

    Attributes:
        stage: name of the rule, which is the stage's name.
        artifact: ``<study>/<stage>/<name>`` of its artifact; empty for a rule that makes none.
        log: path of the job's log, if it has one.
        start: seconds, on the clock of the caller.
        command_start: UTC in ISO 8601.
    """

    stage: str
    artifact: str
    log: Path | None
    start: float
    command_start: str

    @property
    def unit(self) -> str:
        """Name of its artifact; empty if it makes none."""
        return os.path.basename(self.artifact)

    @property
    def name(self) -> str:
        """Stage and unit."""
        return f"{self.stage} {self.unit}".strip()

    @cached_property
    def cached(self) -> bool:
        """Of a finished job: whether it took its artifact from the cache, and no job of this command put it there."""
        record = read_object_or_none(Path(f"{self.artifact}{RUN}")) or {}
        original = record.get("original")
        computed = str(original.get("end", "")) if isinstance(original, dict) else ""
        return record.get("cached") is True and computed < self.command_start


@dataclass
class Stage:
    """Progress of a stage: numbers of jobs, those taken from the cache among those done, and the first job's start."""

    total: int
    done: int = 0
    cached: int = 0
    failed: int = 0
    start: float | None = None


@dataclass
class Jobs:
    """All jobs of the command.

    Attributes:
        running: jobs by Snakemake's number, in the order of their start.
        stages: stages that have jobs, in the order in which Snakemake lists them.
        done: number of jobs done.
        total: number of jobs of the command; 0 before it is known.
        failed: jobs that failed and were not started again.
        uncounted_job: Snakemake's number of the job of :data:`TARGETS`, once it has started.
    """

    running: dict[int, StartedJob] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    failed: dict[int, StartedJob] = field(default_factory=dict)
    uncounted_job: int | None = None
    _uncounted: int = 0
    _start: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def plan(self, record: LogRecord) -> None:
        """Take the numbers of jobs from the record of a run's start (``RUN_INFO``)."""
        counts = {name: int(number) for name, number in record.__dict__["stats"].items()}
        total = counts.pop("total", sum(counts.values()))
        self._uncounted = counts.pop(TARGETS, 0)
        self.total = total - self._uncounted
        self.stages = {name: Stage(number) for name, number in counts.items()}

    def progress(self, done: int, total: int) -> None:
        """Take Snakemake's own number of jobs done (``PROGRESS``); its job for the targets comes last.

        Its total counts jobs that ``--until`` cut off, so it is only taken if that of the plan is unknown.
        """
        self.total = self.total or total - self._uncounted
        self.done = min(done, self.total)

    def begin(self, record: LogRecord, now: float) -> StartedJob:
        """Note that a job starts (``JOB_INFO``)."""
        known = record.__dict__
        log, output = known.get("log") or [], known.get("output") or []
        artifact = str(output[0]).removesuffix(MANIFEST) if output else ""
        job = StartedJob(known["rule_name"], artifact, Path(log[0]) if log else None, now, self._start)
        self.running[known["jobid"]] = job
        self.failed.pop(known["jobid"], None)
        stage = self.stage(job.stage)
        stage.start = now if stage.start is None else stage.start
        return job

    def finish(self, number: int) -> StartedJob | None:
        """Note that a job is done (``JOB_FINISHED``); returns the job if its start was recorded."""
        self.done += 1
        job = self.running.pop(number, None)
        if job is not None:
            stage = self.stage(job.stage)
            stage.done += 1
            stage.cached += job.cached
        return job

    def fail(self, record: LogRecord, now: float) -> StartedJob:
        """Note that a job failed (``JOB_ERROR``)."""
        number = record.__dict__["jobid"]
        if number not in self.running:
            self.begin(record, now)
        job = self.failed[number] = self.running.pop(number)
        self.stage(job.stage).failed += 1
        return job

    def stage(self, name: str) -> Stage:
        """The stage with this name; one that was not planned is added."""
        return self.stages.setdefault(name, Stage(0))


def counted(number: int, thing: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


@dataclass(frozen=True)
class Figures:
    """Figures of a running job.

    Attributes:
        progress: its progress, if it reports any.
        curve: of a training, the latest value in each column of its live curve, None if that is not finite; empty
            before it has any.
    """

    progress: Progress | None = None
    curve: dict[str, float | None] = field(default_factory=dict)


def read_figures(work: Path) -> Figures:
    """Figures of the job with this work folder."""
    latest: dict[str, float | None] = {}
    for row in read_curve(work / CURVE_LINES):
        measured = {name: value for name, value in row.items() if value is not None}
        latest |= {name: value if math.isfinite(value) else None for name, value in measured.items()}
    return Figures(read_progress(work), latest)


def figures_of(job: StartedJob) -> Figures:
    """Figures of a running job; empty ones before it has any."""
    work = logged_work_folder(job.log) if job.log else None
    return Figures() if work is None else read_figures(work)


def training_text(curve: Mapping[str, float | None]) -> str:
    """Latest epoch, loss, learning rate, images/s, wait for data, memory and kNN accuracy of a training."""
    forms = {
        "epoch": "epoch {:.3g}",
        "loss": "loss {:.3g}",
        "lr": "lr {:.2g}",
        "images_per_s": "{:,.0f} images/s",
        "data_wait": "data wait {:.0%}",
        "knn_accuracy": "kNN {:.1%}",
        **{name: f"{FIGURES[name].title} {{}}" for name in PEAKS},
    }
    known = {name: value for name in forms if (value := curve.get(name)) is not None}
    shown = {name: FIGURES[name].text(value) if name in PEAKS else value for name, value in known.items()}
    return "  ".join(forms[name].format(value) for name, value in shown.items())
