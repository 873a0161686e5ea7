"""The store of fetched bytes: everything that any job received for a URL, kept permanently and never requested again.

It is in ``results/.fetched`` and part of no key. Each download job writes its own segments, so that jobs on many
machines share the store without a database. The demo's server, whose responses may change while its URLs stay, has a
separate store in a subfolder.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from workflow_scripts.acquisition.store.journal import Journal, settle
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import Segment, is_sealed, search, stems, url_hash
from workflow_scripts.core.files.durable import make_folders

log = logging.getLogger(__name__)


class Store:
    """One job's view of the store in ``folder``; use it as a context manager.

    Args:
        folder: created if missing.
        job: name of the job, used in the names of its segments.
    """

    def __init__(self, folder: Path, job: str) -> None:
        make_folders(folder)
        self.folder, self._job = folder, job
        self._own: Journal | None = None
        self._segments: dict[Path, Segment] = {}
        self._homes: dict[str, Segment] = {}

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        for segment in [*self._segments.values(), *([self._own] if self._own else [])]:
            segment.close()

    def find(self, urls: Iterable[str], preparation: str) -> dict[str, Record]:
        """The best outcome of each of ``urls`` in the store, with all attempts ever made.

        Bytes as received are preferred to bytes prepared by ``preparation``, and these to failures; of each kind, the
        last counts. Temporary failures count only from completed jobs; if there is nothing else, ``round`` is 0.
        Damaged lines are skipped, and counted in the log.
        """
        wanted = set(urls)
        ends: dict[str, list[tuple[Record, Segment, bool]]] = {}
        for record, segment, still_open in self._known(wanted):
            ends.setdefault(record.url, []).append((record, segment, still_open))
        best: dict[str, Record] = {}
        for url, found in ends.items():
            found.sort(key=lambda end: end[0].finished)
            tried = [attempt for record, _, _ in found for attempt in record.attempts]
            closed = [(record, home) for record, home, still_open in found if not still_open]
            record, self._homes[url] = (
                max(closed, key=lambda end: _rank(end[0], preparation)) if closed else found[-1][:2]
            )
            best[url] = replace(record, attempts=tried, round=record.round if closed else 0)
        return best

    def _known(self, wanted: set[str]) -> Iterable[tuple[Record, Segment, bool]]:
        if not wanted:
            return
        hashes = np.array(sorted({url_hash(url) for url in wanted}), dtype=np.uint64)
        damaged: Counter[Path] = Counter()
        live = set(settle([stem for stem in stems(self.folder) if not is_sealed(stem)]))
        for stem in stems(self.folder):
            if stem in live:
                segment = self._segment(stem)
                yield from ((r, segment, r.may_pass) for r, _, _ in segment.records() if r.url in wanted)
                continue
            for offset, length, still_open in search(stem, hashes):
                record = self._segment(stem).record(offset, length)
                if record is None:
                    damaged[stem] += 1
                elif record.url in wanted:
                    yield record, self._segment(stem), still_open
        for stem, lines in damaged.items():
            log.warning("%s: %d lines are damaged; what they name is fetched again", stem, lines)

    def _segment(self, stem: Path) -> Segment:
        if stem not in self._segments:
            self._segments[stem] = Segment(stem)
        return self._segments[stem]

    def data(self, record: Record) -> bytes | None:
        """The bytes of a record from :meth:`find` or :meth:`add`, or None if the disk lost them."""
        return self._homes[record.url].data(record)

    def add(self, record: Record, data: bytes = b"", digest: str | None = None) -> Record:
        """Store the outcome of a URL and the received bytes; ``digest`` is their sha256, if known.

        Raises:
            PipelineError: it can't be written; URLs that were finished before are kept.
        """
        if self._own is None:
            self._own = self._new_segment()
        timed = replace(record, finished=record.finished or round(time.time(), 3))
        placed = self._own.add(timed, data, digest)
        self._homes[record.url] = self._own
        return placed

    def _new_segment(self) -> Journal:
        number = 0
        while True:
            stem = self.folder / f"{self._job}-{number}"
            number += 1
            if any(self.folder.glob(f"{stem.name}[.+]*")):  # also one whose lines were lost, or that was rewritten
                continue
            try:
                journal = Journal(stem)
            except BlockingIOError:
                continue  # another process is sealing it, assuming that its writer has died
            if not is_sealed(stem):
                return journal
            journal.close()

    def seal(self) -> None:
        """Mark the job as completed: its segment is sealed, and its failures are final for their round."""
        if self._own is not None:
            self._own.seal(ended=True)


def _rank(record: Record, preparation: str) -> tuple[int, float, int]:
    """Sort key for outcomes of one URL: bytes as received, bytes of the wanted preparation, failures; then time, round.

    Later bytes win, since a second fetch happens only if a disk has lost the first.
    """
    if not record.size or record.preparation not in ("", preparation):
        return 0, record.finished, record.round
    return (1 if record.preparation else 2), record.finished, record.round
