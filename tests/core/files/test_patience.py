"""Reads are repeated after errors that may pass, and after those alone."""

import errno
import os
from pathlib import Path

import pytest

from workflow_scripts.core.files import patience
from workflow_scripts.core.files.patience import PASSING, SECONDS, patiently


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, which take no time."""
    found: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", found.append)
    return found


class Failing:
    """Fails so many times with an error of this number, then gives 7."""

    def __init__(self, number: int, times: int, file: str | None = None) -> None:
        self.error, self.left, self.calls = (number, os.strerror(number), file), times, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.left:
            raise OSError(*self.error) if self.error[2] else OSError(*self.error[:2])
        return 7


@pytest.mark.parametrize("number", sorted(PASSING))
@pytest.mark.parametrize("times", range(len(SECONDS) + 1))
def test_a_transient_error_only_costs_waiting(
    waits: list[float], caplog: pytest.LogCaptureFixture, number: int, times: int
) -> None:
    assert patiently(Failing(number, times), Path("a.tar")) == 7
    assert waits == list(SECONDS[:times])
    assert [record.message for record in caplog.records] == [
        f"{os.strerror(number)} in a.tar; trying again in {wait:g} s" for wait in SECONDS[:times]
    ]


def test_a_persistent_error_is_raised_with_its_file(waits: list[float]) -> None:
    read = Failing(errno.ESTALE, 99)
    with pytest.raises(OSError, match=r"a\.tar") as caught:
        patiently(read, Path("a.tar"))
    assert (caught.value.errno, caught.value.filename) == (errno.ESTALE, "a.tar")
    assert (read.calls, waits) == (len(SECONDS) + 1, list(SECONDS))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSPC])
def test_other_errors_are_raised_at_once(waits: list[float], number: int) -> None:
    with pytest.raises(OSError, match=r"b\.tar") as caught:
        patiently(Failing(number, 1, "b.tar"), Path("a.tar"))
    assert (caught.value.errno, waits) == (number, [])
