"""The state of every URL of one job: from the received bytes in the store to the prepared image for the tar."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.images.images import BY_SETTINGS, Stored, policy_of, preparation_of, process
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import DAMAGED, State
from workflow_scripts.acquisition.store.journal import Journal
from workflow_scripts.acquisition.store.record import Record, sha256
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.threads import in_threads

log = logging.getLogger(__name__)


class DownloadState:
    """The URLs of one job; use it as a context manager.

    Args:
        store: the store of fetched bytes.
        work: the job's work folder, which holds prepared images until the shard is complete, except those that are
            stored as received.
        settings: what is kept, how it is prepared, and which failures are requested again.
        urls: the job's URLs; repeated ones count once.

    Attributes:
        done: final record by URL; for an image it describes the prepared bytes, which :meth:`data` returns.
            ``attempts`` are all that were ever made.
    """

    def __init__(self, store: Store, work: Path, settings: Download, urls: Iterable[str]) -> None:
        self._store, self._settings = store, settings
        self._policy, self._preparation = policy_of(settings), preparation_of(settings)
        self._urls = list(dict.fromkeys(urls))
        self._prepared = Journal(work / "prepared")
        self._lock = threading.Lock()
        self.done: dict[str, Record] = {}
        self._raw: dict[str, Record] = {}
        self._tried: dict[str, list[dict[str, Any]]] = {}
        self._asked: dict[str, int] = {}  # the last round in which a URL was requested
        self._read()

    def __enter__(self) -> "DownloadState":
        return self

    def __exit__(self, *_: object) -> None:
        self._prepared.close()

    def _read(self) -> None:
        known = (record for record, _, _ in self._prepared.records())
        prepared = {record.url: record for record in known if record.preparation == self._preparation}
        lost = 0
        for url, record in self._store.find(self._urls, self._preparation).items():
            self._tried[url], self._asked[url] = record.attempts, record.round
            if record.size and not record.preparation:
                self._raw[url] = record
                if url in prepared:
                    self._end(prepared[url])
            elif self._stands(record):
                if record.size and self._store.data(record) is None:
                    lost += 1
                else:
                    self._end(record)
        self._tell(lost)

    def _stands(self, record: Record) -> bool:
        """Whether a failure is final under the current settings."""
        if record.preparation or record.size:
            return record.preparation == self._preparation
        if record.state in BY_SETTINGS and record.policy != self._policy:
            return False
        return record.round >= self._settings.rounds or (record.round > 0 and not record.may_pass)

    def _end(self, record: Record) -> None:
        self.done[record.url] = replace(record, attempts=self._tried.get(record.url, []))

    @property
    def waiting(self) -> list[str]:
        """The URLs without a final record, in order."""
        return [url for url in self._urls if url not in self.done]

    def next_round(self) -> bool:
        """Requeue temporary failures that have rounds left; False if there are none."""
        ended = [record for record in self.done.values() if record.may_pass and record.round < self._settings.rounds]
        for record in ended:
            del self.done[record.url]
        return bool(ended)

    def prepare(self, workers: int) -> None:
        """Prepare images that the store holds as received, in ``workers`` threads (twice as many are in memory)."""
        urls = [url for url in self.waiting if url in self._raw]
        if urls:
            in_threads(self._prepare, progress(urls, len(urls), "prepare"), workers)
            self._tell(sum(url not in self.done for url in urls))

    def _tell(self, lost: int) -> None:
        if lost:
            log.warning("%s: bytes of %d URLs are damaged; they are fetched again", self._store.folder, lost)

    def _prepare(self, url: str) -> None:
        record = self._raw[url]
        data = self._store.data(record)
        if data is not None:  # otherwise the disk lost it, and the URL is requested again
            self._add_prepared(record, data, process(data, self._settings, record.sha256))

    def finish(
        self,
        url: str,
        state: State,
        status: int | None,
        body: bytes,
        attempts: list[dict[str, Any]],
        imported: bool = False,
    ) -> State:
        """Record the result of requesting ``url``; may be called from several threads.

        Args:
            url: one of the job's URLs.
            state: ok when ``body`` may be an image.
            status: the HTTP status.
            body: the bytes as received; none unless ``state`` is ok.
            attempts: the requests that were made.
            imported: another tool fetched the bytes; damaged ones are rejected, and the URL stays in the queue.

        Returns:
            The final state: a response may turn out not to be an image.

        Raises:
            PipelineError: it can't be written; URLs that were finished before are kept.
        """
        number = min(self._settings.rounds, self._asked.get(url, 0) + 1)
        attempts = [{**one, "round": number} for one in attempts]
        policy = self._policy if state in BY_SETTINGS else ""
        record = Record(url, state, status, attempts, number, policy=policy)
        digest = sha256(body)
        stored = process(body, self._settings, digest) if state is State.OK else Stored(state)
        if imported and stored.state in DAMAGED:
            return stored.state
        with self._lock:
            self._tried[url], self._asked[url] = [*self._tried.get(url, []), *attempts], number
            if state is State.OK and self._settings.keep == "prepared":
                self._raw.pop(url, None)  # bytes as received that the disk lost
                self._end(
                    self._store.add(_described(replace(record, preparation=self._preparation), stored), stored.data)
                )
                return stored.state
            record = self._store.add(record, body, digest)
            if state is State.OK:
                self._raw[url] = record
            else:
                self._end(record)
        if state is State.OK:
            self._add_prepared(record, body, stored)
        return stored.state

    def _add_prepared(self, raw: Record, body: bytes, stored: Stored) -> None:
        """Finish a URL whose bytes are in ``raw``; bytes that are stored as received are only in the store."""
        if stored.data == body:
            with self._lock:
                self._end(_described(raw, stored))
            return
        record = _described(Record(raw.url, stored.state, raw.http_status, preparation=self._preparation), stored)
        with self._lock:
            self._end(self._prepared.add(record, stored.data))

    def asked_before(self, url: str, now: int) -> bool:
        """Whether requests other than the ``now`` latest have been made for ``url``."""
        return len(self._tried.get(url, [])) > now

    def data(self, record: Record) -> bytes:
        """The prepared bytes of a record of :attr:`done`.

        Raises:
            PipelineError: they changed on disk since they were written.
        """
        in_work = record.preparation and record.url in self._raw
        data = (self._prepared if in_work else self._store).data(record)
        if data is None:
            work = self._prepared.stem.parent
            advice = f"check the disk; then delete {work} and run again (only what the disk lost is fetched again)"
            raise PipelineError("stored image changed", work if in_work else self._store.folder, record.url, advice)
        return data


def _described(record: Record, stored: Stored) -> Record:
    return replace(record, state=stored.state, width=stored.width, height=stored.height, format=stored.format)
