"""Progress of a long job: a line per minute in its log, and a file for other processes.

The file, ``progress.json`` in the job's work folder, is rewritten once a second. :func:`read_progress` reads it.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from workflow_scripts.core.files.bounded_json import Unfit, read_object

T = TypeVar("T")
log = logging.getLogger(__name__)
PROGRESS = "progress.json"
SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_FILES = 1.0
LARGEST = 1e15  # no job has as many items


@dataclass(frozen=True)
class Progress:
    """Progress of a job.

    Attributes:
        what: what is being done.
        done: items done, those of earlier attempts included.
        total: number of items, if known.
        per_second: items per second of this attempt.
        note: additional text.
    """

    what: str
    done: int
    total: int | None
    per_second: float
    note: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Time left at this rate; None if it is unknown or everything is done."""
        if self.total is None or self.per_second <= 0 or self.done >= self.total:
            return None
        return (self.total - self.done) / self.per_second

    def __str__(self) -> str:
        """One line of a log: ``<what>: <done>/<total>, <rate>/s, <time> left``."""
        text = f"{self.what}: {self.done}" + (f"/{self.total}" if self.total is not None else "")
        text += f", {self.per_second:.1f}/s"
        if self.seconds_left is not None:
            text += f", {span(self.seconds_left)} left"
        return text + (f", {self.note}" if self.note else "")


class _Report:
    """The file to which this process writes its progress, if any."""

    folder: Path | None = None


@contextmanager
def reporting_to(folder: Path | None) -> Iterator[None]:
    """While entered, every :class:`Ticker` of this process writes its progress to ``folder``, a job's work folder."""
    before, _Report.folder = _Report.folder, folder
    try:
        yield
    finally:
        _Report.folder = before


def read_progress(folder: Path) -> Progress | None:
    """Progress of the job with this work folder; None before it has any, without a folder, or if it is damaged."""
    try:
        found = Progress(**read_object(folder / PROGRESS))
    except (OSError, Unfit, TypeError):
        return None
    numbers = (found.done, 0 if found.total is None else found.total, found.per_second)
    fit = all(isinstance(one, int | float) and abs(one) < LARGEST for one in numbers)
    return found if fit and isinstance(found.what, str) and isinstance(found.note, str) else None


def progress(iterable: Iterable[T], total: int | None, what: str, done: int = 0) -> Iterator[T]:
    """Yield the items of ``iterable`` and show the progress; arguments as for :class:`Ticker`."""
    with Ticker(what, total, done=done) as ticker:
        for item in iterable:
            yield item
            ticker.tick()


class Ticker:
    """Shows the progress of a ``with`` block.

    Args:
        what: what is being done.
        total: number of items, if known.
        note: additional text, called whenever something is shown.
        done: items done by an earlier attempt.
    """

    def __init__(self, what: str, total: int | None, note: Callable[[], str] = str, done: int = 0) -> None:
        self._what, self._total, self._note, self._first, self._done = what, total, note, done, done
        self._start = self._last = self._written = time.monotonic()

    def __enter__(self) -> "Ticker":
        self._write()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            log.info("%s", self._progress())
        self._write()

    def tick(self) -> None:
        """Count one more item as done."""
        self._done += 1
        self.pulse()

    def pulse(self) -> None:
        """Log a line and write the file if these are due; for waits during which no item finishes."""
        now = time.monotonic()
        if now - self._written >= SECONDS_BETWEEN_FILES:
            self._written = now
            self._write()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            log.info("%s", self._progress())

    def _progress(self) -> Progress:
        seconds = time.monotonic() - self._start
        rate = (self._done - self._first) / seconds if seconds > 0 else 0.0
        return Progress(self._what, self._done, self._total, rate, self._note())

    def _write(self) -> None:
        folder = _Report.folder
        if folder is None:
            return
        with suppress(OSError):  # progress must not make a job fail on a full disk
            part = folder / f".{PROGRESS}.part"
            part.write_text(json.dumps(asdict(self._progress())))
            os.replace(part, folder / PROGRESS)


def span(seconds: float) -> str:
    """A duration in readable form: ``2.1 s``, ``45 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{round(seconds, 1):g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
