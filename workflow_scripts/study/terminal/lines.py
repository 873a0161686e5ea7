"""Plain lines, for a pipe, a file or a batch job: one per stage and minute, at most 200 characters wide."""

import textwrap
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from workflow_scripts.core.errors.text import plain
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.study.terminal.jobs import Jobs, StartedJob, figures_of, training_text

WIDTH = 200
SECONDS_BETWEEN_LINES = 60.0


class Lines:
    """Writes the progress of the stages.

    A stage gets a line per minute if it made progress, one when its last job is done, and one when its first job fails.
    """

    def __init__(self, stream: TextIO, jobs: Jobs, clock: Callable[[], float]) -> None:
        self._stream, self._jobs, self._clock = stream, jobs, clock
        self._last = clock()
        self._said: dict[str, tuple[int, int]] = {}  # stage -> done and failed jobs in its last line

    def say(self, text: str, style: str = "") -> None:
        """Write a message; lines that are too wide are wrapped."""
        for line in text.splitlines():
            self._stream.write("\n".join(wrapped(line)) + "\n")
        self._stream.flush()

    def started(self, job: StartedJob) -> None:
        """Do nothing: a line for each job would be too much."""

    def finished(self, job: StartedJob) -> None:
        """Write a line if this was the stage's last job."""
        stage = self._jobs.stage(job.stage)
        if job.unit and stage.total and stage.done >= stage.total:
            took = span(self._clock() - (stage.start or 0.0))
            cached = f", {stage.cached} from the cache" if stage.cached else ""
            self._stamped(f"{job.stage}: {stage.done} of {stage.total} done{cached}, {took} after it began")
            self._said[job.stage] = (stage.done, stage.failed)

    def failed(self, job: StartedJob, why: str, logs: str) -> None:
        """Write a line for the first failure of a stage; the errors of all follow when the run ends."""
        if self._jobs.stage(job.stage).failed == 1:
            self.say(f"{_time()}  failed: {job.name}{f': {why}' if why else ''}; log: {logs}")

    def tick(self) -> None:
        """Write the lines of the minute if it is over."""
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN_LINES or not self._jobs.total:
            return
        self._last = now
        for name, number in Counter(job.stage for job in self._jobs.running.values()).items():
            stage = self._jobs.stage(name)
            figures = (self._figures(job) for job in self._jobs.running.values() if job.stage == name)
            text = next(filter(None, figures), "")
            if text or self._said.get(name) != (stage.done, stage.failed):
                self._said[name] = (stage.done, stage.failed)
                failed = f", {stage.failed} failed" if stage.failed else ""
                self._stamped(f"{name}: {stage.done} of {stage.total} done{failed}, {number} running{text}")
        jobs = self._jobs
        self._stamped(f"all: {jobs.done} of {jobs.total} jobs done ({jobs.done / jobs.total:.0%})")

    def close(self) -> None:
        """Nothing to close."""

    def _figures(self, job: StartedJob) -> str:
        figures = figures_of(job)
        training = training_text(figures.curve)
        if training and (step := figures.curve.get("step")):
            training = f"at step {step:,.0f}: {training}"
        behind = training and figures.progress and not figures.progress.done  # reported less often than the curve
        parts = [str(part) for part in ("" if behind else figures.progress, training) if part]
        return f"; {job.unit}: {', '.join(parts)}" if parts else ""

    def _stamped(self, text: str) -> None:
        line = plain(f"{_time()}  {text}")
        self._stream.write((line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…") + "\n")
        self._stream.flush()


def _time() -> str:
    return time.strftime("%H:%M:%S")


def wrapped(line: str) -> list[str]:
    """The line as plain text, in parts of at most 200 characters; later parts are indented."""
    line = plain(line)
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent[:40], break_on_hyphens=False) or [""]
