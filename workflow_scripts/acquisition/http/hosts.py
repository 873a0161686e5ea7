"""Politeness: limits on request rate and connections of each host, for any number of rows."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from workflow_scripts.acquisition.http.budget import BURST_SECONDS, Budget, OwnBudget, Pace, Policy, SharedBudget

MOST_AT_ONCE = 64  # maximum number of request times reserved from a host's budget at once
YIELD_EVERY, YIELD_SECONDS = 10, 0.005
LATE = 0.25  # seconds after which a reserved time expires: a late request would add to the rate of later seconds


class Gate:
    """Access to one host, or to the hosts of one pattern: a rate, a number of connections, and pauses.

    Attributes:
        policy: limits of this process.
        passed: number of requests made.
    """

    def __init__(self, policy: Policy, budget: Budget) -> None:
        self.policy, self.passed = policy, 0
        self._budget = budget
        self._turn, self._given, self._taken_again = asyncio.Lock(), asyncio.Event(), 0
        self._times: deque[float] = deque()  # reserved and not used yet, in order
        self._taken, self._used = 0.0, 0  # time of the latest reservation, and how many were used since

    async def refused(self, seconds: float) -> None:
        """Send no requests to this host for ``seconds``, then more slowly for a while."""
        await self._budget.change(lambda pace, now: pace.refuse(now, seconds))
        self._times.clear()

    async def _time(self) -> float:
        """The time of the next request.

        For a fast host several are reserved at once, since each access to a shared budget takes six system calls. They
        expire a burst later, so requests reserved before a refusal are then no longer sent.
        """
        if self._budget.now() - self._taken > BURST_SECONDS:
            self._times.clear()
        if not self._times:
            self._times.extend(await self._budget.change(self._some_times))
        self._used += 1
        return self._times.popleft()

    def _some_times(self, pace: Pace, now: float) -> list[float]:
        """As many as this job used recently in half a burst: what it does not use is lost to other jobs."""
        own = self._used / max(now - self._taken, 1e-6)  # requests per second
        self._taken, self._used = now, 0
        number = min(MOST_AT_ONCE, min(own, self.policy.rate / pace.slow) * BURST_SECONDS / 2)
        return [pace.reserve(now, self.policy.rate) for _ in range(max(1, int(number)))]

    @asynccontextmanager
    async def request(self, room: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait until one more request may be made, and hold a connection for the duration of the block.

        ``room`` is the space for the response; it is acquired too, and the block releases it.
        """
        async with self._turn:  # one waits at a time, so that jobs that share a budget take turns
            slot = await self._admitted(room)
        self.passed += 1
        try:
            yield
        finally:
            self._give(slot)

    def _give(self, slot: int) -> None:
        self._budget.give(slot)
        self._given.set()

    async def _admitted(self, room: asyncio.Semaphore) -> int:
        """Wait until a time, a connection and room for the response are all available; returns the connection."""
        slot, patience, roomy = None, LATE, False
        try:
            while True:
                start = await self._time()
                waited = await self._sleep_until(start)
                if slot is None:
                    slot = self._budget.take()
                if slot is None:
                    slot, waited = await self._slot(), True
                waited |= room.locked()
                roomy = await room.acquire()
                late = self._budget.now() - start > patience
                if not late and not (waited and await self._budget.change(lambda pace, now: now < pace.not_before)):
                    return slot
                room.release()
                roomy = False  # don't hold what other hosts need while sleeping
                patience *= 2
        except BaseException:
            if slot is not None:
                self._give(slot)
            if roomy:
                room.release()
            raise

    async def _sleep_until(self, start: float) -> bool:
        """Whether it had to wait."""
        waited = False
        while (wait := start - self._budget.now()) > 0:
            waited = True
            await asyncio.sleep(wait)
        return waited

    async def _slot(self) -> int:
        """Wait for a connection."""
        pause = 0.005
        while (slot := self._budget.take()) is None:
            self._given.clear()
            try:
                async with asyncio.timeout(pause * (0.5 + random.random())):
                    await (
                        self._given.wait()
                    )  # or check again: this job is not notified when other jobs release connections
            except TimeoutError:
                pause = min(2 * pause, 0.05)
                continue
            self._taken_again += 1
            if self._taken_again % YIELD_EVERY == 0:  # otherwise a busy job would never leave one to others
                await asyncio.sleep(YIELD_SECONDS * random.random())
        return slot


class Gates:
    """Gates by host name, created on demand.

    Args:
        policies: policy by host name pattern (``fnmatch``); the first pattern that matches counts, and its hosts share
            one gate. Each host that matches none has its own gate with the policy ``default``.
        folder: folder of the budgets that all jobs share; None: this process has its own.
        share: this process uses 1/``share`` of rate and connections; 1 for shared budgets.
    """

    def __init__(self, policies: Mapping[str, Policy], folder: Path | None = None, share: int = 1) -> None:
        divided = {
            pattern.lower(): Policy(policy.rate / share, max(1, policy.connections // share))
            for pattern, policy in policies.items()
        }
        self._default = divided.pop("default")
        self._patterns, self._folder = divided, folder
        self._gates: dict[str, Gate] = {}
        self._budgets: list[Budget] = []

    def group(self, host: str) -> str:
        """The pattern whose budget ``host`` shares, or the host itself."""
        host = host.lower()
        return next((pattern for pattern in self._patterns if fnmatchcase(host, pattern)), host)

    def gate(self, host: str) -> Gate:
        """The gate of ``host``."""
        return self.named(self.group(host))

    def named(self, group: str) -> Gate:
        """The gate of a group, as :meth:`group` names it."""
        if group not in self._gates:
            policy = self._patterns.get(group, self._default)
            width = policy.connections
            budget = SharedBudget(self._folder, group, width) if self._folder else OwnBudget(width)
            self._budgets.append(budget)
            self._gates[group] = Gate(policy, budget)
        return self._gates[group]

    def passed(self) -> dict[str, int]:
        """Number of requests made through each gate."""
        return {group: gate.passed for group, gate in self._gates.items()}

    def close(self) -> None:
        """Release all shared budgets."""
        for budget in self._budgets:
            budget.close()
