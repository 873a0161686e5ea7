"""Processes many items in a few threads, with few items in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def mapped(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """``function(item)`` of every item, in order, from ``workers`` threads; at most twice as many are in progress.

    Raises:
        Exception: that of the first item, in order, whose call raised.
    """
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) >= 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def in_threads(function: Callable[[T], object], items: Iterable[T], workers: int) -> None:
    """Call ``function`` on every item; see :func:`mapped`."""
    for _ in mapped(function, items, workers):
        pass
