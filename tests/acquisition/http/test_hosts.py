"""One budget per host pattern, evenly spent, with pauses for all."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.acquisition.http.conftest import Clock
from workflow_scripts.acquisition.http.budget import BURST_SECONDS, OwnBudget, Pace, Policy, SharedBudget
from workflow_scripts.acquisition.http.hosts import Gate, Gates

T = TypeVar("T")
POLICIES = {"i.redd.it": Policy(20, 16), "*.staticflickr.com": Policy(10, 8), "default": Policy(2, 2)}


def test_patterns_share_a_gate_and_other_hosts_have_their_own() -> None:
    async def check() -> None:
        gates = Gates(POLICIES)
        assert gates.gate("farm1.staticflickr.com") is gates.gate("Farm2.StaticFlickr.com")
        assert gates.gate("i.redd.it").policy == Policy(20, 16)
        assert gates.gate("one.test") is not gates.gate("two.test")
        assert gates.gate("one.test").policy == Policy(2, 2)
        assert gates.gate("staticflickr.com").policy == Policy(2, 2)

    asyncio.run(check())


def test_rate_over_a_window(clock: Clock) -> None:
    async def spend(rate: float, requests: int) -> list[float]:
        gate, times = Gate(Policy(rate, 8), OwnBudget(8)), []

        async def one() -> None:
            async with gate.request(asyncio.Semaphore(99)):
                times.append(clock.now)

        await asyncio.gather(*(one() for _ in range(requests)))
        return times

    times = clock.run(spend(200, 100))
    assert times[-1] - times[0] == pytest.approx(99 / 200 - BURST_SECONDS)


def test_connections_and_pauses(clock: Clock) -> None:
    async def check() -> tuple[int, float]:
        gate, now, most = Gate(Policy(10_000, 3), OwnBudget(3)), 0, 0

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


def test_a_share_of_the_rate_is_a_job_s_own() -> None:
    gates = Gates({"default": Policy(20, 16), "a.test": Policy(2, 2)}, share=8)
    assert gates.gate("b.test").policy == Policy(2.5, 2)
    assert gates.gate("a.test").policy == Policy(0.25, 1)


@pytest.mark.parametrize(("rate", "burst"), [(50, 3), (1000, 80)])
def test_a_time_that_is_over_is_not_used(clock: Clock, rate: float, burst: int) -> None:
    """Requests that a stopped process had lined up must not come all at once when it goes on.

    Of a quick host a burst of them may, and half a burst whose times were taken together.
    """

    async def check() -> list[float]:
        gate, times = Gate(Policy(rate, 8), OwnBudget(8)), []

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


def test_jobs_take_times_of_a_quick_host_together_and_still_keep_its_rate_and_pauses(
    clock: Clock, tmp_path: Path
) -> None:
    async def check() -> tuple[list[float], float, float]:
        budgets = [SharedBudget(tmp_path, "quick.test", 32) for _ in range(2)]
        gates, times = [Gate(Policy(1000, 32), budget) for budget in budgets], []

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


class Counted(OwnBudget):
    """A budget with a clock of its own that counts looks and the times that are taken."""

    def __init__(self) -> None:
        super().__init__(8)
        self.clock, self.looks, self.taken = 100.0, 0, 0

    def now(self) -> float:
        return self.clock

    async def change(self, step: Callable[[Pace, float], T]) -> T:
        value = await super().change(step)
        if isinstance(value, list):
            self.looks, self.taken = self.looks + 1, self.taken + len(value)
        return value


@pytest.mark.parametrize(("own", "looks"), [(10, 200), (100, 101), (400, 25)])
def test_a_job_takes_together_what_it_uses_in_half_a_burst_and_leaves_the_rest(own: float, looks: int) -> None:
    """``own``: requests per second that the job can make of a host that allows 400."""

    async def check() -> Counted:
        budget = Counted()
        gate = Gate(Policy(400, 8), budget)
        for _ in range(200):
            async with gate.request(asyncio.Semaphore(1)):
                budget.clock += 1 / own
        return budget

    budget = asyncio.run(check())
    assert budget.looks <= looks
    assert budget.taken <= 200 + 10, "times were lost to other jobs"


def test_a_request_without_room_for_its_answer_waits_for_a_new_time(clock: Clock) -> None:
    async def check() -> tuple[bool, float, int]:
        budget, room = OwnBudget(1), asyncio.Semaphore(1)
        gate = Gate(Policy(50, 1), budget)
        await room.acquire()
        asyncio.get_running_loop().call_later(0.4, room.release)
        async with gate.request(room):
            held = room.locked()
            due = await budget.change(lambda pace, now: pace.due - now)
        return held, due, len(budget._free)

    held, due, free = clock.run(check())
    assert held and free == 1
    assert due > -0.1, "the time of 0.4 s ago was used"
