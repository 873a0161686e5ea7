"""Politeness: how often and how widely each host is asked, whatever the number of rows that want it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiolimiter import AsyncLimiter

BURST_SECONDS = 0.05  # a burst of this share of a second's requests keeps any longer window near the rate


@dataclass(frozen=True)
class Policy:
    """Requests per second, and requests under way at once."""

    rate: float
    connections: int


class Gate:
    """The way to one host, or to the hosts of one pattern: a rate, a number of connections, and pauses."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        burst = max(1.0, policy.rate * BURST_SECONDS)
        self._limiter = AsyncLimiter(burst, burst / policy.rate)
        self._free = asyncio.Semaphore(policy.connections)
        self._not_before = 0.0

    def pause(self, seconds: float) -> None:
        """Ask this host nothing for ``seconds`` from now on; a longer pause under way stays."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until one more request may be made, and hold a connection for as long as the block lasts."""
        async with self._free:
            await self._pause_over()
            await self._limiter.acquire()
            await self._pause_over()  # another answer may have asked for a pause while this one waited
            yield

    async def _pause_over(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._not_before - loop.time()) > 0:
            await asyncio.sleep(wait)


class Gates:
    """Gates by host name, made as they are needed.

    Args:
        policies: policy by host name pattern (``fnmatch``); the first pattern that fits counts, and its hosts share one
            gate. Hosts that fit none get a gate of their own each, with the policy ``default``.
    """

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._default = policies["default"]
        self._patterns = {pattern.lower(): policy for pattern, policy in policies.items() if pattern != "default"}
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
            self._gates[group] = Gate(self._patterns.get(group, self._default))
        return self._gates[group]
