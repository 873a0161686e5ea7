"""One budget per host pattern, evenly spent, with pauses for all."""

import asyncio
import multiprocessing
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.acquisition.http.conftest import Clock
from workflow_scripts.acquisition.http import hosts as hosts_module
from workflow_scripts.acquisition.http.hosts import (
    BURST_SECONDS,
    DAY,
    SLOWEST,
    Gate,
    Gates,
    OwnBudget,
    Pace,
    SharedBudget,
)
from workflow_scripts.acquisition.settings import HostPolicy
from workflow_scripts.core.errors import PipelineError


def policy(rate: float, connections: int) -> HostPolicy:
    return HostPolicy(rate=rate, connections=connections)


POLICIES = {"i.redd.it": policy(20, 16), "*.staticflickr.com": policy(10, 8), "default": policy(2, 2)}


def test_hosts_of_a_pattern_share_a_gate_and_other_hosts_have_separate_gates() -> None:
    async def check() -> None:
        gates = Gates(POLICIES)
        assert gates.gate("farm1.staticflickr.com") is gates.gate("Farm2.StaticFlickr.com")
        assert gates.gate("i.redd.it").policy == policy(20, 16)
        assert gates.gate("one.test") is not gates.gate("two.test")
        assert gates.gate("one.test").policy == policy(2, 2)
        assert gates.gate("staticflickr.com").policy == policy(2, 2)

    asyncio.run(check())


def test_rate_over_a_window(clock: Clock) -> None:
    async def spend(rate: float, requests: int) -> list[float]:
        gate, times = Gate(policy(rate, 8), OwnBudget(8)), []

        async def one() -> None:
            async with gate.request(asyncio.Semaphore(99)):
                times.append(clock.now)

        await asyncio.gather(*(one() for _ in range(requests)))
        return times

    times = clock.run(spend(200, 100))
    assert times[-1] - times[0] == pytest.approx(99 / 200 - BURST_SECONDS)


def test_connections_are_limited_and_pauses_kept(clock: Clock) -> None:
    async def check() -> tuple[int, float]:
        gate, now, most = Gate(policy(10_000, 3), OwnBudget(3)), 0, 0

        async def one() -> None:
            nonlocal now, most
            async with gate.request(asyncio.Semaphore(99)):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.005)
                now -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        await gate.refused(0.2)
        await gate.refused(0.01)  # does not shorten the longer one
        start = clock.now
        async with gate.request(asyncio.Semaphore(99)):
            return most, clock.now - start

    most, waited = clock.run(check())
    assert most == 3 and waited == pytest.approx(0.2)


def test_each_job_gets_its_share_of_the_rate() -> None:
    gates = Gates({"default": policy(20, 16), "a.test": policy(2, 2)}, share=8)
    assert gates.gate("b.test").policy == policy(2.5, 2)
    assert gates.gate("a.test").policy == policy(0.25, 1)


@pytest.mark.parametrize(("rate", "burst"), [(50, 3), (1000, 80)])
def test_reserved_times_in_the_past_are_not_used(clock: Clock, rate: float, burst: int) -> None:
    """Requests that a stopped process had lined up must not come all at once when it goes on."""

    async def check() -> list[float]:
        gate, times = Gate(policy(rate, 8), OwnBudget(8)), []

        async def one() -> None:
            async with gate.request(asyncio.Semaphore(99)):
                times.append(clock.now)

        tasks = [asyncio.create_task(one()) for _ in range(int(0.6 * rate))]
        await asyncio.sleep(0.1)
        clock.now += 0.5  # the whole process stands still
        await asyncio.gather(*tasks)
        return times

    times = clock.run(check())
    assert max(sum(start <= at < start + 0.2 for at in times) for start in times) <= rate * 0.2 + burst


def test_jobs_keep_the_rate_and_the_pauses_of_a_quick_host(clock: Clock, tmp_path: Path) -> None:
    async def check() -> tuple[list[float], float, float]:
        budgets = [SharedBudget(tmp_path, "quick.test", 32) for _ in range(2)]
        gates, times = [Gate(policy(1000, 32), budget) for budget in budgets], []

        async def one(gate: Gate) -> None:
            async with gate.request(asyncio.Semaphore(999)):
                times.append(clock.now)

        begun = clock.now
        tasks = [asyncio.create_task(one(gate)) for gate in gates for _ in range(150)]
        await asyncio.sleep(0.1)
        await gates[0].refused(0.5)
        refused = clock.now
        await asyncio.gather(*tasks)
        for budget in budgets:
            budget.close()
        return times, begun, refused

    times, begun, refused = clock.run(check())
    assert sum(at <= refused for at in times) <= round(1000 * (refused - begun + BURST_SECONDS)) + 1
    during = [at for at in times if refused < at < refused + 0.45]
    assert len(during) <= 1000 * BURST_SECONDS / 2, "more than the other job held"
    assert not [at for at in during if at > refused + 0.2], "asked during the pause"
    assert times == sorted(times) and len(times) == 300


def test_a_request_without_room_for_its_answer_waits_for_a_new_time(clock: Clock) -> None:
    async def check() -> tuple[bool, float, int]:
        budget, room = OwnBudget(1), asyncio.Semaphore(1)
        gate = Gate(policy(50, 1), budget)
        await room.acquire()
        asyncio.get_running_loop().call_later(0.4, room.release)
        async with gate.request(room):
            held = room.locked()
            due = await budget.change(lambda pace, now: pace.due - now)
        return held, due, len(budget._free)

    held, due, free = clock.run(check())
    assert held and free == 1
    assert due > -0.1, "the time of 0.4 s ago was used"


def test_times_are_evenly_spaced_after_a_small_burst() -> None:
    pace = Pace()
    times = [pace.reserve(1000.0, 100.0) for _ in range(600)]
    burst = int(BURST_SECONDS * 100) + 1
    assert times[:burst] == [1000.0] * burst
    assert times[599] == pytest.approx(1000.0 + 5.99 - BURST_SECONDS)
    assert max(sum(start <= t < start + 5 for t in times) for start in times) <= 100 * 5 + burst
    assert pace.reserve(2000.0, 100.0) == 2000.0, "time that nobody used is not made up for"


def test_a_refusal_pauses_and_slows_requests_and_wears_off_gradually() -> None:
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


def test_times_far_in_the_future_do_not_block_requests() -> None:
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


def test_a_symbolic_link_instead_of_a_budget_file_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("own")
    budget = SharedBudget(tmp_path, "a.test", 1)
    budget.close()
    budget._path.unlink()
    budget._path.symlink_to("profile")
    with pytest.raises(PipelineError, match=rf"not a regular file in {budget._path}: it is a symbolic link"):
        SharedBudget(tmp_path, "a.test", 1)


def _hold(folder: Path, pipe: Any) -> None:
    budget = SharedBudget(folder, "a.test", 2)
    budget._locked(hosts_module.PACE_BYTE, hosts_module.fcntl.F_WRLCK)
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
    monkeypatch.setattr(hosts_module.fcntl, "fcntl", Mock(side_effect=OSError(37, "No locks available")))
    with pytest.raises(PipelineError, match=r"No locks available; .*set download.share_of_rate"):
        budget.take()
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="unusable request budget of hosts"):
        SharedBudget(tmp_path / "file", "a.test", 2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(24, "Too many open files"), r"Too many open files, the limit is .*; raise the limit of open files"),
        (OSError(28, "No space left"), r"storage error of download in .*: No space left .*; free space"),
    ],
)
def test_why_a_budget_can_not_be_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    monkeypatch.setattr(hosts_module.os, "open", Mock(side_effect=error))
    with pytest.raises(PipelineError, match=said):
        SharedBudget(tmp_path, "a.test", 2)
