"""A segment being written: append-only, so that finished URLs are never lost or requested again.

Bytes are written before their line. A killed process leaves at most bytes without a line, or a partial line; both are
cut off when the segment is opened again. A disk may lose more than that, so hashes are checked when bytes are read.
"""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.acquisition.store.record import Record, to_line
from workflow_scripts.acquisition.store.segment import BYTES, LINES, Segment, is_sealed, seal, with_suffix
from workflow_scripts.core.files.durable import sync_descriptor
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.files.storage_errors import storage_error

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
log = logging.getLogger(__name__)


class Journal(Segment):
    """Opens the segment ``stem`` for writing; one process at a time holds it, and the lock ends with the process.

    Args:
        stem: its path without suffix; missing files are created.
        left: whether another process may be writing to it, for file systems without locks.

    Raises:
        BlockingIOError: another process holds it, or may hold it.
        PipelineError: a file of it is a link.
    """

    def __init__(self, stem: Path, left: bool = False) -> None:
        for suffix in (LINES, BYTES):  # in this order: bytes without lines are leftovers of a killed removal
            os.close(open_plain(with_suffix(stem, suffix), os.O_RDWR | os.O_CREAT, 0o644))
        self.stem = stem
        self._lines, self._bytes = (open_plain(with_suffix(stem, suffix), os.O_RDWR) for suffix in (LINES, BYTES))
        self._lock(left)
        self._whole, self._end = self._recover()

    def _lock(self, left: bool) -> None:
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS and not left:
                return
            self.close()
            raise BlockingIOError(error.errno, "another process may be writing", str(self.stem)) from None

    def _recover(self) -> tuple[int, int]:
        """Cut off incomplete data that a kill left; returns the positions of the next line and the next bytes.

        Bytes follow each other as their lines do. Where they don't, lines were damaged later, and no bytes are cut off.
        """
        assert self._bytes is not None
        there = os.fstat(self._bytes).st_size
        whole = end = complete = follows = 0
        damaged, last = False, None
        for record, offset, length in self.lines():
            complete = offset + length
            damaged |= record is None or (record.size > 0 and record.offset != follows)
            if record is not None and record.size:
                follows = record.offset + record.size
                last = record if follows <= there else last
            if follows <= there:
                whole, end = complete, follows
        if damaged or (last is not None and self.data(last) is None):
            log.warning("%s has damaged lines; what they name is fetched again", self.stem)
            whole, end = complete, there
        os.ftruncate(self._lines, whole)
        os.ftruncate(self._bytes, end)
        return whole, end

    def add(self, record: Record, data: bytes = b"", digest: str | None = None) -> Record:
        """Finish a URL with its bytes; returns the record with ``offset``, ``size`` and ``sha256`` set.

        ``digest`` is the sha256 of ``data``, if known.

        Raises:
            PipelineError: it can't be written; URLs that were finished before are kept.
        """
        assert self._bytes is not None
        placed = record.at(self._end if data else 0, data, digest)
        line = to_line(placed)
        try:
            _write(self._bytes, data, self._end)
            _write(self._lines, line, self._whole)
        except OSError as error:
            raise storage_error(error, "download", (self.stem,)) or error from None
        self._end += len(data)
        self._whole += len(line)
        return placed

    def seal(self, ended: bool) -> None:
        """Sync everything to disk and write the index; nothing may be added afterwards."""
        assert self._bytes is not None
        sync_descriptor(self._bytes, with_suffix(self.stem, BYTES))
        sync_descriptor(self._lines, with_suffix(self.stem, LINES))
        seal(self.stem, ended)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def settle(stems: list[Path]) -> Iterator[Path]:
    """Seal the segments that killed jobs left; returns those that other processes are writing to."""
    for stem in stems:
        try:
            with Journal(stem, left=True) as journal:
                if not is_sealed(stem):  # otherwise its job has just ended and sealed it
                    journal.seal(ended=False)
        except (BlockingIOError, PermissionError):  # of a running job, or of another user
            yield stem
