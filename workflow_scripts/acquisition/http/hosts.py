"""Politeness: limits on request rate and connections of each host, for any number of rows and jobs.

All jobs that share a results folder share one budget per host, through a small file below ``results/.hosts``: the
pace is written there under a lock, and each connection is a lock on one byte of it, which the kernel releases when a
job dies. So N jobs together stay below the host's rate, on one machine or on several that share the file system. Where
locks do not work, each job gets 1/N of the rate instead (``download.share_of_rate``).
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import random
import re
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from workflow_scripts.acquisition.settings import HostPolicy
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.files.storage_errors import OF_DISKS, storage_error

T = TypeVar("T")
BURST_SECONDS = 0.05  # length of a burst at full rate; keeps the rate of any longer window near the limit
SLOWEST = 64.0  # maximum slowdown after refusals
EASE = 0.99  # each later request reduces the slowdown by this factor
DAY = 86_400.0  # times further ahead are due to a wrong clock
FORM = struct.Struct("<8sdddd")
MAGIC = b"budget 1"
FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.-]")
PACE_BYTE, FIRST_SLOT = 0, 1000
TAKEN = (errno.EAGAIN, errno.EACCES)
YIELD_EVERY, YIELD_SECONDS = 10, 0.005
LATE = 0.25  # seconds after which a reserved time expires: a late request would add to the rate of later seconds


@dataclass
class Pace:
    """A host's pace; all times are seconds of the clock that the budget uses.

    Attributes:
        due: when the next request comes at even spacing (the theoretical arrival time of the generic cell rate
            algorithm, ITU-T I.371).
        not_before: end of the pause that the host requested.
        slow: slowdown relative to the policy; doubles with a refusal.
        refused: when it last doubled.
    """

    due: float = 0.0
    not_before: float = 0.0
    slow: float = 1.0
    refused: float = 0.0

    def reserve(self, now: float, rate: float) -> float:
        """Reserve and return the next free time, at or after ``now``."""
        step = self.slow / rate
        if self.due > now + DAY or self.not_before > now + DAY:
            self.due = self.not_before = now
        start = max(now, self.due - BURST_SECONDS, self.not_before)
        self.due = max(self.due, start) + step
        self.slow = max(1.0, self.slow * EASE)
        return start

    def refuse(self, now: float, seconds: float) -> None:
        """Send nothing for ``seconds`` from ``now`` on, then more slowly; several refusals at once count as one."""
        if now >= max(self.not_before, self.refused + 1.0):
            self.slow, self.refused = min(SLOWEST, self.slow * 2), now
        self.not_before = max(self.not_before, now + seconds)


class OwnBudget:
    """A budget of this process alone."""

    def __init__(self, connections: int) -> None:
        self._pace, self._free = Pace(), set(range(connections))

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    async def change(self, step: Callable[[Pace, float], T]) -> T:
        """Let ``step`` read and change the pace at the current time, with exclusive access."""
        return step(self._pace, self.now())

    def take(self) -> int | None:
        """A free connection's number, or None."""
        return self._free.pop() if self._free else None

    def give(self, slot: int) -> None:
        """Release a connection."""
        self._free.add(slot)

    def close(self) -> None:
        """Nothing to release."""


class SharedBudget:
    """A budget in a file, shared by all processes that open it.

    Args:
        folder: holds a file per host; created if missing.
        name: the host, or the pattern of hosts that share one budget.
        connections: maximum number of concurrent requests of all processes.

    Raises:
        PipelineError: the file cannot be opened, or is a link.
    """

    def __init__(self, folder: Path, name: str, connections: int) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        self._path = folder / f"{_NOT_IN_NAMES.sub('_', name)[:60]}-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open_plain(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._unusable(error) from None
        self._connections, self._held = connections, set[int]()

    def now(self) -> float:
        """Seconds since 1970, the same on all machines."""
        return time.time()

    async def change(self, step: Callable[[Pace, float], T]) -> T:
        """See :class:`OwnBudget`."""
        while not self._locked(PACE_BYTE, fcntl.F_WRLCK):
            await asyncio.sleep(0.001 + 0.004 * random.random())  # other processes hold it for microseconds
        try:
            pace = self._read()
            value = step(pace, self.now())
            os.pwrite(self._file, FORM.pack(MAGIC, pace.due, pace.not_before, pace.slow, pace.refused), 0)
        except OSError as error:
            raise self._unusable(error) from None
        finally:
            self._locked(PACE_BYTE, fcntl.F_UNLCK)
        return value

    def _read(self) -> Pace:
        data = os.pread(self._file, FORM.size, 0)
        if len(data) != FORM.size or not data.startswith(MAGIC):
            return Pace()
        return Pace(*FORM.unpack(data)[1:])

    def take(self) -> int | None:
        """See :class:`OwnBudget`."""
        start = random.randrange(self._connections)  # so that concurrent jobs try different connections first
        for slot in (*range(start, self._connections), *range(start)):
            if slot not in self._held and self._locked(FIRST_SLOT + slot, fcntl.F_WRLCK):
                self._held.add(slot)
                return slot
        return None

    def give(self, slot: int) -> None:
        """See :class:`OwnBudget`."""
        self._held.discard(slot)
        self._locked(FIRST_SLOT + slot, fcntl.F_UNLCK)

    def close(self) -> None:
        """Release all locks."""
        os.close(self._file)

    def _locked(self, byte: int, kind: int) -> bool:
        """Whether the lock on ``byte`` was free (an open file description lock, which belongs to the open file)."""
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
        except OSError as error:
            if error.errno in TAKEN:
                return False
            raise self._unusable(error) from None
        return True

    def _unusable(self, error: OSError) -> PipelineError:
        advice = "if the file system has no locks, set download.share_of_rate to the maximum number of concurrent jobs"
        if error.errno in OF_DISKS and (known := storage_error(error, "download", (self._path,))):
            return known
        return PipelineError("unusable request budget of hosts", self._path, error.strerror or error, advice)


Budget = OwnBudget | SharedBudget


class Gate:
    """Access to one host, or to the hosts of one pattern: a rate, a number of connections, and pauses.

    Attributes:
        policy: limits of this process.
        budget: what it shares with other gates of the host.
    """

    def __init__(self, policy: HostPolicy, budget: Budget) -> None:
        self.policy, self.budget = policy, budget
        self._turn, self._given, self._taken_again = asyncio.Lock(), asyncio.Event(), 0

    async def refused(self, seconds: float) -> None:
        """Send no requests to this host for ``seconds``, then more slowly for a while."""
        await self.budget.change(lambda pace, now: pace.refuse(now, seconds))

    @asynccontextmanager
    async def request(self, room: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait until one more request may be made, and hold a connection for the duration of the block.

        ``room`` is the space for the response; it is acquired too, and the block releases it.
        """
        async with self._turn:  # one waits at a time, so that jobs that share a budget take turns
            slot = await self._admitted(room)
        try:
            yield
        finally:
            self._give(slot)

    def _give(self, slot: int) -> None:
        self.budget.give(slot)
        self._given.set()

    async def _admitted(self, room: asyncio.Semaphore) -> int:
        """Wait until a time, a connection and room for the response are all available; returns the connection."""
        slot, patience, roomy = None, LATE, False
        try:
            while True:
                start = await self.budget.change(lambda pace, now: pace.reserve(now, self.policy.rate))
                waited = False
                while (wait := start - self.budget.now()) > 0:
                    waited = True
                    await asyncio.sleep(wait)
                if slot is None:
                    slot = self.budget.take()
                if slot is None:
                    slot, waited = await self._slot(), True
                waited |= room.locked()
                roomy = await room.acquire()
                late = self.budget.now() - start > patience
                if not late and not (waited and await self.budget.change(lambda pace, now: now < pace.not_before)):
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

    async def _slot(self) -> int:
        """Wait for a connection."""
        pause = 0.005
        while (slot := self.budget.take()) is None:
            self._given.clear()
            try:
                async with asyncio.timeout(pause * (0.5 + random.random())):
                    # Or check again: this job is not notified when other jobs release connections.
                    await self._given.wait()
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

    def __init__(self, policies: Mapping[str, HostPolicy], folder: Path | None = None, share: int = 1) -> None:
        divided = {
            pattern.lower(): HostPolicy(rate=policy.rate / share, connections=max(1, policy.connections // share))
            for pattern, policy in policies.items()
        }
        self._default = divided.pop("default")
        self._patterns, self._folder = divided, folder
        self._gates: dict[str, Gate] = {}

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
            budget: Budget = SharedBudget(self._folder, group, width) if self._folder else OwnBudget(width)
            self._gates[group] = Gate(policy, budget)
        return self._gates[group]

    def close(self) -> None:
        """Release all shared budgets."""
        for gate in self._gates.values():
            gate.budget.close()
