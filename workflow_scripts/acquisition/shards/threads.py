"""Processes many items in a few threads, with few items in memory."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_threads(function: Callable[[T], object], items: Iterable[T], workers: int) -> None:
    """Call ``function`` on every item in ``workers`` threads; at most twice as many items are in progress.

    Raises:
        Exception: that of the first item, in order, whose call raised.
    """
    running: deque[Future[object]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) >= 2 * workers:
                running.popleft().result()
        for one in running:
            one.result()
