"""A host's budget: even spacing, pauses, and one file for all processes that a dead one cannot block."""

import asyncio
import multiprocessing
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition.http.conftest import Clock
from workflow_scripts.acquisition.http import budget as budget_module
from workflow_scripts.acquisition.http.budget import BURST_SECONDS, DAY, SLOWEST, Pace, SharedBudget
from workflow_scripts.core.errors import PipelineError


def test_times_are_evenly_spaced_after_a_small_burst() -> None:
    pace = Pace()
    times = [pace.reserve(1000.0, 100.0) for _ in range(600)]
    burst = int(BURST_SECONDS * 100) + 1
    assert times[:burst] == [1000.0] * burst
    assert times[599] == pytest.approx(1000.0 + 5.99 - BURST_SECONDS)
    busiest = max(sum(start <= t < start + 5 for t in times) for start in times)
    assert busiest <= 100 * 5 + burst
    assert pace.reserve(2000.0, 100.0) == 2000.0, "time that nobody used is not made up for"


def test_a_refusal_pauses_and_slows_and_is_slowly_forgotten() -> None:
    pace = Pace()
    pace.refuse(1000.0, 7.0)
    pace.refuse(1000.5, 3.0)  # an answer that was under way: neither slower nor shorter
    assert pace.slow == 2.0
    times = [pace.reserve(1001.0, 10.0) for _ in range(20)]
    assert times[0] == 1007.0
    gaps = [later - earlier for earlier, later in pairwise(times[3:])]
    assert gaps[0] == pytest.approx(0.2, rel=0.05) and gaps == sorted(gaps, reverse=True)
    for _ in range(100):
        pace.reserve(2000.0, 10.0)
    assert pace.slow == 1.0
    for n in range(20):
        pace.refuse(10_000.0 + 10 * n, 1.0)
    assert pace.slow == SLOWEST


def test_times_of_a_clock_that_was_wrong_block_nothing() -> None:
    assert Pace(due=1000 + 2 * DAY).reserve(1000.0, 1.0) == 1000.0
    assert Pace(not_before=1000 + 2 * DAY).reserve(1000.0, 1.0) == 1000.0


def test_two_openings_of_a_file_share_pace_and_connections(clock: Clock, tmp_path: Path) -> None:
    one, other = (SharedBudget(tmp_path / "hosts", "*.photos.test", 3) for _ in range(2))
    stranger = SharedBudget(tmp_path / "hosts", "other.test", 3)

    async def check() -> None:
        first = await one.change(lambda pace, now: pace.reserve(now, 1.0))
        assert await other.change(lambda pace, now: pace.reserve(now, 1.0)) == pytest.approx(first + 1 - BURST_SECONDS)
        assert await stranger.change(lambda pace, now: pace.reserve(now, 1.0)) == first

    clock.run(check())
    assert [one.take(), other.take(), one.take(), other.take()].count(None) == 1
    assert other.take() is None and stranger.take() is not None
    slot = next(n for n in range(3) if n in one._held)
    one.give(slot)
    assert other.take() == slot
    one.close()
    assert other.take() is not None, "closing lets all connections go"


def test_a_damaged_file_is_reset(tmp_path: Path) -> None:
    budget = SharedBudget(tmp_path, "a.test", 1)
    for damage in (b"", b"short", os.urandom(200)):
        budget._path.write_bytes(damage)
        assert asyncio.run(budget.change(lambda pace, now: pace)) == Pace()


def test_a_link_in_place_of_a_budget_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("own")
    budget = SharedBudget(tmp_path, "a.test", 1)
    budget.close()
    budget._path.unlink()
    budget._path.symlink_to("profile")
    with pytest.raises(PipelineError, match=rf"not a regular file in {budget._path}: it is a symbolic link"):
        SharedBudget(tmp_path, "a.test", 1)


def _hold(folder: Path, pipe: Any) -> None:
    budget = SharedBudget(folder, "a.test", 2)
    budget._locked(budget_module.PACE_BYTE, budget_module.fcntl.F_WRLCK)
    pipe.send([budget.take(), budget.take()])
    signal.pause()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold, args=(tmp_path, theirs), daemon=True)
    process.start()
    assert sorted(ours.recv()) == [0, 1]
    budget = SharedBudget(tmp_path, "a.test", 2)
    assert budget.take() is None

    async def reserve() -> float:
        async with asyncio.timeout(0.2):
            return await budget.change(lambda pace, now: now)

    with pytest.raises(TimeoutError):
        asyncio.run(reserve())
    process.kill()
    process.join()
    assert budget.take() is not None and asyncio.run(reserve()) > 0


def test_a_file_system_without_locks_names_the_other_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = SharedBudget(tmp_path, "a.test", 2)

    def refuse(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(budget_module.fcntl, "fcntl", refuse)
    with pytest.raises(PipelineError, match=r"No locks available; .*set download.share_of_rate"):
        budget.take()
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="unusable request budget of hosts"):
        SharedBudget(tmp_path / "file", "a.test", 2)


def test_too_many_hosts_for_the_open_files_allowed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(budget_module.os, "open", refuse)
    with pytest.raises(PipelineError, match=r"Too many open files; each contacted host needs an open file"):
        SharedBudget(tmp_path, "a.test", 2)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(budget_module.os, "open", refuse)
    with pytest.raises(PipelineError, match=r"storage error of download in .*: No space left .*; free space"):
        SharedBudget(tmp_path, "a.test", 2)
