"""A clock that does not depend on the machine's speed."""

import asyncio
import selectors
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import TypeVar

import pytest

from workflow_scripts.acquisition.http import hosts

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """What an event loop waits with: instead of the wait, the clock is moved on."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.now += timeout or 0.0
        return super().select(0)


class Clock:
    """Stands still while code runs, and moves on at once to when the next task is due while all of them wait.

    Attributes:
        now: seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def run(self, main: Coroutine[None, None, T]) -> T:
        """What ``asyncio.run`` gives, by this clock."""

        def loop() -> asyncio.AbstractEventLoop:
            made = asyncio.SelectorEventLoop(_Selector(self))
            made.time = lambda: self.now  # type: ignore[method-assign]
            return made

        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(main)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of budgets, too."""
    made = Clock()
    monkeypatch.setattr(hosts, "time", SimpleNamespace(time=lambda: made.now, monotonic=lambda: made.now))
    return made
