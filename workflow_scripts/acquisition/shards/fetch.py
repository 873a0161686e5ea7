"""Fetches all URLs of a shard: hosts in parallel, each at its own pace, decoding in threads."""

import asyncio
import math
import os
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from workflow_scripts.acquisition.http.client import MAX_BODIES, MAX_WAIT, Answer, Client
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.states import RETRYABLE, State
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.progress import Ticker
from workflow_scripts.stats.seeds import derive

SECONDS_BETWEEN_LOOKS = 2.0  # interval of progress updates while nothing finishes
BACKING_OFF = 32  # URLs per host that may wait for a retry without delaying first attempts of others
OK_WINDOW = 200  # latest rows of which min_ok_share must be ok


def fetch(downloads: DownloadState, settings: Download, workers: int, budgets: Path | None = None) -> None:
    """Bring every waiting URL of ``downloads`` to its final state, and record it there.

    Args:
        downloads: the URLs; each final state is recorded as soon as it is known.
        settings: limits and politeness.
        workers: threads that decode; does not change the result.
        budgets: folder of the hosts' budgets that all jobs share; None: this call has its own.

    Raises:
        PipelineError: the share of successes fell below ``min_ok_share``, or this machine ran out of a resource.
    """
    # uvloop resolves names in half of these threads; with its default of four, a few dead names would block all others.
    os.environ.setdefault("UV_THREADPOOL_SIZE", str(2 * MAX_BODIES))
    more = True
    while more and (waiting := downloads.waiting):
        uvloop.run(_Fetch(downloads, settings, workers, budgets).run(waiting))
        more = downloads.next_round()


@dataclass
class _Fetch:
    _downloads: DownloadState
    _settings: Download
    _workers: int
    _budgets: Path | None = None

    async def run(self, urls: list[str]) -> None:
        with ThreadPoolExecutor(self._workers, "decode") as self._pool:
            async with Client(self._settings, self._budgets) as self._client:
                self._monitor = Monitor(self._settings.min_ok_share, OK_WINDOW)
                with Ticker("download", len(urls), self._monitor.note) as self._ticker:
                    try:
                        await self._all(urls)
                    except* PipelineError as group:
                        raise _first(group) from None

    async def _all(self, urls: list[str]) -> None:
        queues: defaultdict[str, deque[str]] = defaultdict(deque)  # by gate
        for url in urls:
            queues[self._client.group(url)].append(url)
        pulse = asyncio.create_task(self._pulse())
        try:
            async with asyncio.TaskGroup() as tasks:
                for group, queue in queues.items():
                    # connections, and decoding
                    width = self._client.gates.named(group).policy.connections + 2 * self._workers
                    under_way = asyncio.Semaphore(width)
                    for _ in range(min(width + BACKING_OFF, len(queue))):
                        tasks.create_task(self._drain(group, queue, under_way))
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError):
                await pulse

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            self._ticker.pulse()

    async def _drain(self, group: str, queue: deque[str], under_way: asyncio.Semaphore) -> None:
        while queue:
            url = queue.popleft()
            attempts: list[dict[str, Any]] = []
            state = await self._finish(url, under_way, attempts)
            self._ticker.tick()
            self._monitor.ended(group, state, again=self._downloads.asked_before(url, len(attempts)))

    async def _finish(self, url: str, under_way: asyncio.Semaphore, attempts: list[dict[str, Any]]) -> State:
        while True:
            async with under_way, self._client.answer(url) as answer:
                attempts.append(_logged(len(attempts) + 1, answer))
                if answer.state is State.OK:
                    # The body is decoded and written in a thread; its slot is released when that is done.
                    return await self._end(url, State.OK, answer.status, answer.body, attempts)
            if answer.state not in RETRYABLE or len(attempts) == self._settings.attempts:
                return await self._end(url, answer.state, answer.status, b"", attempts)
            await asyncio.sleep(self._pause(url, len(attempts)))

    async def _end(self, url: str, state: State, status: int | None, body: bytes, attempts: list[Any]) -> State:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._downloads.finish, url, state, status, body, attempts)

    def _pause(self, url: str, number: int) -> float:
        """Pause in seconds after attempt ``number``: doubling, with jitter in [0.5, 1.5) by URL and attempt."""
        jitter = 0.5 + derive(0, url, number) / 2**63
        return min(MAX_WAIT, self._settings.backoff * math.ldexp(jitter, min(number, 60) - 1))


def _logged(number: int, answer: Answer) -> dict[str, Any]:
    return {
        "attempt": number,
        "started": round(answer.started, 3),
        "seconds": round(answer.seconds, 3),
        "state": answer.state,
        "http_status": answer.status,
        "read": len(answer.body) or answer.read,
    }


def _first(group: BaseExceptionGroup) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class Monitor:
    """Counts final states of rows.

    Args:
        min_ok_share: :meth:`ended` raises if the share of ok rows among the last ``window`` falls below this.
        window: number of latest rows to consider.
    """

    def __init__(self, min_ok_share: float, window: int) -> None:
        self._least, self._recent = min_ok_share, deque[tuple[str, State]](maxlen=window)
        self._ok = self._ended = 0

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
        self._recent.append((host, state))
        total, ok = len(self._recent), sum(state is State.OK for _, state in self._recent)
        if total == self._recent.maxlen and ok < self._least * total:
            raise self._collapsed(ok, total)

    def _collapsed(self, ok: int, total: int) -> PipelineError:
        lost = [(host, state) for host, state in self._recent if state is not State.OK]
        worst = ", ".join(f"{state} {count}" for state, count in Counter(state for _, state in lost).most_common(4))
        hosts = ", ".join(f"{host} {count}" for host, count in Counter(host for host, _ in lost).most_common(2))
        value = f"{ok} of the last {total} URLs ok ({worst}; mostly from {hosts})"
        advice = "check the network and the hosts, then run the same command again (finished work is kept), or lower "
        advice += f"download.min_ok_share, which is {self._least:g}"
        return PipelineError("too few images received", "download", value, advice)

    def note(self) -> str:
        """Share of ok rows: ``81% ok``."""
        return f"{self._ok / self._ended:.0%} ok" if self._ended else "none ended"
