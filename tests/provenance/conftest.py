"""A limit of time for tests of commands that could wait for ever, such as for a FIFO."""

import signal
from collections.abc import Iterator

import pytest

SECONDS = 60


class Hangs(BaseException):
    """No command can take it for a fault of a file."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """Fails a test that hangs."""

    def ring(*_: object) -> None:
        raise Hangs(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
