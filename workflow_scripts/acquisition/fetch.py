"""All urls of a shard to their final states: hosts side by side, each at its own pace, decoding in threads."""

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from workflow_scripts.acquisition.client import Answer, Client
from workflow_scripts.acquisition.images import Limits, Stored, process
from workflow_scripts.acquisition.journal import Journal, Record
from workflow_scripts.acquisition.states import RETRYABLE, State
from workflow_scripts.acquisition.watch import Watch
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.progress import Ticker
from workflow_scripts.core.seeds import derive
from workflow_scripts.core.settings.download import Download

SECONDS_BETWEEN_LOOKS = 2.0  # how often progress is shown although nothing ends


def fetch(
    urls: Iterable[str],
    journal: Journal,
    settings: Download,
    connect_to: dict[str, str],
    workers: int,
    budgets: Path | None = None,
) -> None:
    """Bring every url that ``journal`` does not know yet to its final state, and record it there.

    Args:
        urls: what to fetch; a url that occurs twice is asked for once.
        journal: takes each url's end as soon as it is known.
        settings: limits and politeness.
        connect_to: host name -> ``address:port`` to connect to in its place.
        workers: threads that decode; changes no byte.
        budgets: folder of the hosts' budgets that all jobs share; None: this call keeps its own.

    Raises:
        PipelineError: the share of successes fell below ``min_ok_share``, or this machine ran out of something.
    """
    waiting = [url for url in dict.fromkeys(urls) if url not in journal.done]
    if waiting:
        asyncio.run(_Fetch(journal, settings, connect_to, workers, budgets).run(waiting))


class _Fetch:
    def __init__(
        self,
        journal: Journal,
        settings: Download,
        connect_to: dict[str, str],
        workers: int,
        budgets: Path | None = None,
    ) -> None:
        self._journal, self._settings, self._connect_to, self._workers = journal, settings, connect_to, workers
        self._budgets = budgets
        self._limits = Limits(
            max_side=settings.max_side,
            jpeg_quality=settings.jpeg_quality,
            min_side=settings.min_side,
            max_aspect=settings.max_aspect,
            max_pixels=settings.max_pixels,
            animated=settings.animated,
            placeholders=frozenset(settings.placeholder_sha256),
        )

    async def run(self, urls: list[str]) -> None:
        with ThreadPoolExecutor(self._workers, "decode") as self._pool:
            async with Client(self._settings, self._connect_to, self._budgets) as self._client:
                share, window = self._settings.min_ok_share, self._settings.ok_window
                self._watch = Watch(share, window, self._client.gates.passed)
                with Ticker("download", len(urls), self._watch.note) as self._ticker:
                    try:
                        await self._all(urls)
                    except* PipelineError as group:
                        raise _first(group) from None

    async def _all(self, urls: list[str]) -> None:
        pulse = asyncio.create_task(self._pulse())
        try:
            async with asyncio.TaskGroup() as tasks:
                for queue, width in self._queues(urls):
                    for _ in range(min(width, len(queue))):
                        tasks.create_task(self._drain(queue))
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError):
                await pulse

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            self._ticker.pulse()

    def _queues(self, urls: list[str]) -> list[tuple[deque[str], int]]:
        """Urls by the gate that they go through, and how many are under way at once: connections, and decoding."""
        queues: dict[str, deque[str]] = {}
        for url in urls:
            queues.setdefault(self._client.group(url), deque()).append(url)
        return [
            (queue, self._client.gates.named(group).policy.connections + 2 * self._workers)
            for group, queue in queues.items()
        ]

    async def _drain(self, queue: deque[str]) -> None:
        while queue:
            await self._finish(queue.popleft())

    async def _finish(self, url: str) -> None:
        attempts: list[Answer] = []

        async def attempt() -> tuple[Answer, Stored]:
            async with self._client.answer(url) as answer:
                attempts.append(answer)
                if answer.state is not State.OK:
                    return answer, Stored(answer.state)
                loop = asyncio.get_running_loop()
                stored = await loop.run_in_executor(self._pool, process, answer.body, self._limits)
                return answer, stored

        def give_up(state: RetryCallState) -> tuple[Answer, Stored]:
            assert state.outcome is not None
            return state.outcome.result()

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=lambda state: self._pause(url, state),
            retry=retry_if_result(lambda ended: ended[1].state in RETRYABLE),
            retry_error_callback=give_up,
        )
        ended: tuple[Answer, Stored] = await retrying(attempt)
        answer, stored = ended
        log = [_logged(number, one) for number, one in enumerate(attempts, 1)]
        record = Record(
            url=url,
            state=stored.state,
            http_status=answer.status,
            attempts=log,
            width=stored.width,
            height=stored.height,
            format=stored.format,
        )
        self._journal.add(record, stored.data)
        self._ticker.tick()
        self._watch.ended(self._client.group(url), stored.state, again=len(self._journal.done[url].attempts) > len(log))

    def _pause(self, url: str, state: RetryCallState) -> float:
        """Seconds before the next attempt: doubling, with jitter in [0.5, 1.5) that depends on url and attempt."""
        number = state.attempt_number
        jitter = 0.5 + derive(self._settings.seed, url, number) / 2**63
        return min(self._settings.max_wait, self._settings.backoff * math.ldexp(jitter, min(number, 60) - 1))


def _logged(number: int, answer: Answer) -> dict[str, object]:
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
