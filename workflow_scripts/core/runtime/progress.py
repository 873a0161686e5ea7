"""Progress for people: a bar on a terminal, a plain line a minute in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_NOTES = 0.5


def progress(iterable: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    """Yield the items of ``iterable`` and show how far it is; ``total`` is the number of items if known."""
    with Ticker(what, total) as ticker:
        for item in iterable:
            yield item
            ticker.tick()


class Ticker:
    """Shows how far something is, in a ``with`` block.

    Args:
        what: what is done.
        total: number of items, if known.
        note: more to say, called whenever something is shown.
    """

    def __init__(self, what: str, total: int | None, note: Callable[[], str] = str) -> None:
        self._what, self._total, self._note, self._done = what, total, note, 0
        self._start = self._last = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> "Ticker":
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, desc=self._what)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None:
            self._say()

    def tick(self) -> None:
        """One more item is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        self.pulse()

    def pulse(self) -> None:
        """Show something if it is time to; for waits in which nothing gets done."""
        now = time.monotonic()
        if now - self._last < (SECONDS_BETWEEN_LINES if self._bar is None else SECONDS_BETWEEN_NOTES):
            return
        self._last = now
        if self._bar is None:
            self._say()
        else:
            self._bar.set_postfix_str(self._note())

    def _say(self) -> None:
        note = self._note()
        text = line(self._what, self._done, self._total, time.monotonic() - self._start)
        log.info("%s", text + (f", {note}" if note else ""))


def line(what: str, done: int, total: int | None, seconds: float) -> str:
    """One line of a log: ``<what>: <done>/<total>, <rate>/s, <time> left``."""
    rate = done / seconds if seconds > 0 else 0.0
    text = f"{what}: {done}" + (f"/{total}" if total is not None else "") + f", {rate:.1f}/s"
    if total is not None and rate > 0 and done < total:
        text += f", {span((total - done) / rate)} left"
    return text


def span(seconds: float) -> str:
    """A time for people: ``5 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
