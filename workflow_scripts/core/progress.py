"""Progress for people: a bar on a terminal, a plain line a minute in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 60.0


def progress(iterable: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    """Yield the items of ``iterable`` and show how far it is; ``total`` is the number of items if known."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(iterable, total=total, desc=what)
        return
    start = last = time.monotonic()
    done = 0
    for item in iterable:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            log.info("%s", line(what, done, total, now - start))
    log.info("%s", line(what, done, total, time.monotonic() - start))


def line(what: str, done: int, total: int | None, seconds: float) -> str:
    """One line of a log: ``<what>: <done>/<total>, <rate>/s, <seconds left> s left``."""
    rate = done / seconds if seconds > 0 else 0.0
    text = f"{what}: {done}" + (f"/{total}" if total is not None else "") + f", {rate:.1f}/s"
    if total is not None and rate > 0 and done < total:
        text += f", {(total - done) / rate:.0f} s left"
    return text
