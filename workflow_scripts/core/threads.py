"""Processes many items in a few threads, with few items in memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def mapped(
    function: Callable[[T], R], items: Iterable[T], workers: int, ahead: int | None = None
) -> Generator[R, None, None]:
    """``function(item)`` of every item, in order, from ``workers`` threads, which end if the generator is closed.

    At most ``ahead`` items, twice as many as threads by default, are in progress while the caller has another.

    Raises:
        Exception: that of the first item, in order, whose call raised.
    """
    running: deque[Future[R]] = deque()
    workers = max(1, workers)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mapped")
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > (2 * workers if ahead is None else ahead):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_threads(function: Callable[[T], object], items: Iterable[T], workers: int, ahead: int | None = None) -> None:
    """Call ``function`` on every item; see :func:`mapped`."""
    for _ in mapped(function, items, workers, ahead):
        pass
