"""Monitors a download: reports its progress, and stops it if too few images are received."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from workflow_scripts.acquisition.shards.states import State
from workflow_scripts.core.errors import PipelineError

SECONDS_PER_RATE = 10.0  # minimum time over which a host's rate is measured
HOSTS_NAMED = 4


class Monitor:
    """Counts final states of rows.

    Args:
        min_ok_share: :meth:`ended` raises if the share of ok rows among the last ``window`` falls below this.
        window: number of latest rows to consider.
        passed: returns the number of requests so far by host.
    """

    def __init__(self, min_ok_share: float, window: int, passed: Callable[[], Mapping[str, int]]) -> None:
        self._least, self._recent, self._passed = min_ok_share, deque[tuple[str, State]](maxlen=window), passed
        self._recent_ok = self._ok = self._ended = 0
        self._since, self._counts, self._rates = time.monotonic(), dict(passed()), dict[str, float]()

    def ended(self, host: str, state: State, again: bool = False) -> None:
        """Count a finished row of ``host``.

        Args:
            host: name of its gate.
            state: its final state.
            again: it had failed before; such rows fail more often, whatever the state of the network.

        Raises:
            PipelineError: too few of the last rows were ok.
        """
        self._ended += 1
        self._ok += state is State.OK
        if again:
            return
        if len(self._recent) == self._recent.maxlen:
            self._recent_ok -= self._recent[0][1] is State.OK
        self._recent.append((host, state))
        self._recent_ok += state is State.OK
        total = len(self._recent)
        if total == self._recent.maxlen and self._recent_ok < self._least * total:
            raise self._collapsed(total)

    def _collapsed(self, total: int) -> PipelineError:
        lost = [(host, state) for host, state in self._recent if state is not State.OK]
        worst = ", ".join(f"{state} {count}" for state, count in Counter(state for _, state in lost).most_common(4))
        hosts = ", ".join(f"{host} {count}" for host, count in Counter(host for host, _ in lost).most_common(2))
        value = f"{self._recent_ok} of the last {total} URLs ok ({worst}; mostly from {hosts})"
        advice = (
            f"download.min_ok_share is {self._least:g}: check the network and whether the hosts refuse requests, then "
            "run the same command again (finished work is kept), or lower it"
        )
        return PipelineError("too few images received", "download", value, advice)

    def note(self) -> str:
        """Share of ok rows, and the hosts' current rates: ``81% ok, i.redd.it 19.8/s, i.imgur.com 4.9/s``."""
        now, counts = time.monotonic(), dict(self._passed())
        if now - self._since >= SECONDS_PER_RATE or not self._rates:
            seconds = max(now - self._since, 1e-9)
            self._rates = {host: (count - self._counts.get(host, 0)) / seconds for host, count in counts.items()}
            self._since, self._counts = now, counts
        busiest = sorted(self._rates.items(), key=lambda one: (-one[1], one[0]))[:HOSTS_NAMED]
        share = f"{self._ok / self._ended:.0%} ok" if self._ended else "none ended"
        return ", ".join([share, *(f"{host} {rate:.1f}/s" for host, rate in busiest)])
