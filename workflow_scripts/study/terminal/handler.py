"""Snakemake's logger plugin ``faithful-pairs``: receives log records and displays the run.

Snakemake looks for plugins among installed packages; :func:`register` adds this one from the checkout. Everything
that is left out here is in Snakemake's own log, ``.snakemake/log/``.
"""

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from logging import LogRecord
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import plain_lines
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.study.terminal import program
from workflow_scripts.study.terminal.failures import INTERRUPTION
from workflow_scripts.study.terminal.jobs import TARGETS, Jobs, counted
from workflow_scripts.study.terminal.lines import Lines

if TYPE_CHECKING:
    from workflow_scripts.study.terminal.screen import Screen

SECONDS_BETWEEN_TICKS = 1.0
# Messages that require no action. All others are shown, including those of newer Snakemake versions.
UNTOLD = (
    "Assuming unrestricted shared",
    "Building DAG of jobs",
    "Conda environments: ignored",
    "Config file ",
    "Elapsed time",
    "Exiting because a job",
    "Group jobs: inactive",
    "Select jobs to execute",
    "Shutting down, this",
    "SLURM run ID",
    "Singularity containers: ignored",
    "Trying to restart job",
    "Complete log",
    "Using shell",
    "WorkflowError:\nAt least one job did not complete",
    # A process that computes several shards in turn writes outputs of later jobs, which then find them in the cache.
    "Warning: the following output files of rule",
)
NON_ZERO = "returned non-zero exit status"  # a failing stage reports the reason itself
SUBMITTED = re.compile(r"Job (\S+) has been submitted with SLURM jobid (\d+) \(log: (.+)\)\.$")
WORDS = {
    "no_image": "file{s} missing",
    "no_row": "image{s} without a row",
    "empty_caption": "without caption",
    "not_utf8": "not in UTF-8",
    "further_caption": "not chosen",
    "repeated_id": "with a repeated id",
    "http_4xx": "not found or refused by their host",
}
"""Reasons for which rows are lost and that read badly as they are."""
MOST_REASONS = 3  # that are named


TICK = logging.makeLogRecord({"msg": "lines of a minute"})  # stands for them in the message about an error


class _Plain(logging.Formatter):
    """Snakemake's formatter, with plain lines."""

    def __init__(self, theirs: logging.Formatter | None) -> None:
        super().__init__()
        self._theirs = theirs or logging.Formatter()

    def format(self, record: LogRecord) -> str:
        return plain_lines(self._theirs.format(record) or "")


class LogHandler(LogHandlerBase):
    """Shows a run; dry runs print what Snakemake prints."""

    writes_to_stream = True  # Snakemake adds no handler of its own for the terminal
    writes_to_file = False  # Snakemake's own log is kept
    has_filter = False  # Snakemake's knows --quiet, --verbose and so on
    has_formatter = False  # Snakemake's is for dry runs
    needs_rulegraph = False
    _view: "Lines | Screen"

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.stream = sys.stdout if settings.stdout else sys.stderr
        self.jobs, self._report, self._ended = Jobs(), "", threading.Event()
        self._start, self._stopping = time.monotonic(), False
        self._theirs: logging.Handler | None = None
        if settings.dryrun:
            from snakemake.logging import ColorizingTextHandler

            self._theirs = ColorizingTextHandler(settings.nocolor, self.stream)
        elif self.stream.isatty() and os.environ.get("TERM") != "dumb":
            from workflow_scripts.study.terminal.screen import Screen

            self._view = Screen(self.stream, self.jobs, time.monotonic, settings.nocolor)
        else:
            self._view = Lines(self.stream, self.jobs, time.monotonic)
            threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Display a record."""
        self._try(self._show, record)

    def _try(self, show: Callable[[LogRecord], None], record: LogRecord) -> None:
        """Display something. An exception would end the thread that does so."""
        try:
            show(record)
        except OSError:
            pass  # nobody reads the output; the run continues
        except Exception:  # noqa: BLE001
            self.handleError(record)

    def close(self) -> None:
        """Remove the display; Snakemake always calls this at the end."""
        self._ended.set()
        if self._theirs is None:
            self._view.close()
        super().close()

    def _tick(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_TICKS):
            self.acquire()
            try:
                self._try(lambda _: self._view.tick(), TICK)
            finally:
                self.release()

    def _show(self, record: LogRecord) -> None:
        if self._theirs is not None:
            self._theirs.formatter = _Plain(self.formatter)
            self._theirs.emit(record)
            return
        now, known = time.monotonic(), record.__dict__
        match known.get("event"):
            case LogEvent.RUN_INFO:
                self.jobs.plan(record)
                self._view.say(f"{counted(self.jobs.total, 'job')} of {counted(len(self.jobs.stages), 'stage')}")
            case LogEvent.JOB_INFO if known["rule_name"] == TARGETS:
                self.jobs.uncounted_job = known["jobid"]
            case LogEvent.JOB_FINISHED if known["job_id"] == self.jobs.uncounted_job:
                pass
            case LogEvent.JOB_INFO:
                self._view.started(self.jobs.begin(record, now))
            case LogEvent.JOB_FINISHED:
                self._finish(known["job_id"])
            case LogEvent.PROGRESS:
                self.jobs.progress(known["done"], known["total"])
            case LogEvent.JOB_ERROR if self._stopping:
                self.jobs.running.pop(known["jobid"], None)  # ended by Ctrl-C, which is not a failure
            case LogEvent.JOB_ERROR:
                # Only SLURM jobs have a message of Snakemake.
                logs = ", ".join(known.get("log") or [])
                self._view.failed(self.jobs.fail(record, now), known.get("rule_msg") or "", logs)
            case LogEvent.GROUP_ERROR:
                self._view.say(f"{record.getMessage()}; log: {', '.join(map(str, known['aux_logs']))}", "red")
            case LogEvent.WORKFLOW_STARTED | LogEvent.RESOURCES_INFO | LogEvent.JOB_STARTED | LogEvent.GROUP_INFO:
                pass
            case _:
                self._message(record)

    def _finish(self, number: int) -> None:
        job = self.jobs.finish(number)
        if job is not None:
            self._view.finished(job)
            if job.stage in TOLD:
                with suppress(OSError, ValueError, KeyError, PipelineError):  # the job has just written it
                    if text := TOLD[job.stage](job.artifact):
                        self._view.say(text)
            if job.stage == "report":
                self._report = f"{job.artifact}.html"
        if self.jobs.total and self.jobs.done == self.jobs.total:
            took = span(time.monotonic() - self._start)
            self._view.say(f"done: {counted(self.jobs.total, 'job')} in {took}", "bold green")
            if self._report:
                self._view.say(f"report: {self._report}")
                self._view.say(f"next: {program()} show {Path(self._report).parents[1]}")

    def _message(self, record: LogRecord) -> None:
        text = record.getMessage()
        if found := SUBMITTED.match(text):
            job = self.jobs.running.get(int(found[1])) if found[1].isdigit() else None
            text = f"{job.name if job else 'group'}: submitted with SLURM jobid {found[2]} (log: {found[3]})"
        elif text.startswith(INTERRUPTION):
            self._stopping, text = True, "stopping the running jobs"
        elif text in ("", "None") or text.startswith(UNTOLD) or NON_ZERO in text:
            return
        self._view.say(text, "red" if record.levelno >= logging.ERROR else "")


def register() -> None:
    """Register the plugin with Snakemake, which otherwise only finds installed packages."""
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_faithful_pairs", sys.modules[__name__])


def lost_rows(artifact: str) -> str:
    """``80 rows, 65 images; 15 files missing: results/s/data_card/data_card.lost_rows.csv``, by the data card.

    Raises:
        OSError: the card is not there.
        ValueError: it is damaged.
        KeyError: likewise.
    """
    card = read_object(Path(f"{artifact}.json"))
    lost = {reason: count for reason, count in card["states"].items() if reason != "ok"}
    text = f"{card['rows']:,} rows, {card['states'].get('ok', 0):,} images"
    if not lost:
        return text
    frequent = sorted(lost, key=lambda reason: (-lost[reason], reason))
    named = [_reason(lost[reason], reason) for reason in frequent[:MOST_REASONS]]
    if others := sum(lost[reason] for reason in frequent[MOST_REASONS:]):
        named.append(f"{others:,} for other reasons")
    return f"{text}; {', '.join(named)}: {artifact}.lost_rows.csv"


def same_images(artifact: str) -> str:
    """That test images are among the study's; empty if hardly any are.

    Raises:
        PipelineError: there is no such artifact, or it is damaged.
    """
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.reporting.answers import leaks
    from workflow_scripts.reporting.study import leaked_images

    return "\n".join(leaks(leaked_images([Artifact(Path(f"{artifact}{MANIFEST}"))])))


TOLD = {"data_card": lost_rows, "leakage": same_images}
"""What is said once a stage has made its artifact."""


def _reason(number: int, reason: str) -> str:
    """``15 files missing``."""
    words = WORDS.get(reason, reason.replace("_", " "))
    return f"{number:,} {words.format(s='' if number == 1 else 's')}"
