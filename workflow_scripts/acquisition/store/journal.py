"""A segment that is being written: append-only, so that nothing finished is ever lost or requested again.

Bytes are written before their line. A process killed anywhere leaves at most bytes without a line or half a line; both
are cut off when the segment is opened again. A disk may lose more than that: whoever reads bytes checks their hash.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.acquisition.store.record import Record, to_line
from workflow_scripts.acquisition.store.segment import BYTES, LINES, Segment, is_sealed, seal, with_suffix
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import sync_descriptor

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Journal(Segment):
    """The segment ``stem`` to write to; one process at a time has it, and the lock goes with the process.

    Args:
        stem: its path without suffix; its files are made when they are not there.
        left: whether somebody else may be writing to it; without locks nobody can tell.

    Raises:
        BlockingIOError: another process has it, or may have it.
    """

    def __init__(self, stem: Path, left: bool = False) -> None:
        for suffix in (LINES, BYTES):  # in this order: bytes without lines are what a killed removal left
            os.close(os.open(with_suffix(stem, suffix), os.O_RDWR | os.O_CREAT, 0o644))
        super().__init__(stem)
        os.close(self._lines)
        self._lines = os.open(with_suffix(stem, LINES), os.O_RDWR)
        self._bytes = os.open(with_suffix(stem, BYTES), os.O_RDWR)
        self._lock(left)
        self._whole, self._end = self._recover()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self, left: bool) -> None:
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS and not left:
                return
            self.close()
            raise BlockingIOError(error.errno, "somebody else may be writing", str(self.stem)) from None

    def _recover(self) -> tuple[int, int]:
        """Cut off what a kill left half done; gives where the next line and the next bytes go."""
        assert self._bytes is not None
        there = os.fstat(self._bytes).st_size
        whole = end = 0
        for record, offset, length in self.records():
            if record.offset + record.size > there:
                break
            whole, end = offset + length, max(end, record.offset + record.size)
        os.ftruncate(self._lines, whole)
        os.ftruncate(self._bytes, end)
        return whole, end

    def add(self, record: Record, data: bytes = b"", digest: str | None = None) -> Record:
        """Finish a url with the bytes kept of it; gives the record with ``offset``, ``size`` and ``sha256`` set.

        ``digest`` is the sha256 of ``data`` where it is known.

        Raises:
            PipelineError: the disk does not take it; what was finished before stays.
        """
        assert self._bytes is not None
        placed = record.at(self._end if data else 0, data, digest)
        line = to_line(placed)
        try:
            _write(self._bytes, data, self._end)
            _write(self._lines, line, self._whole)
        except OSError as error:
            advice = "make room and run again; finished urls are kept"
            raise PipelineError("cannot write", self.stem, error.strerror or error, advice) from None
        self._end += len(data)
        self._whole += len(line)
        return placed

    def seal(self, ended: bool) -> None:
        """Flush all to the disk and write the index; nothing may be added afterwards."""
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
    """Seal the segments that killed jobs left; gives those that cannot be: other processes write to them."""
    for stem in stems:
        try:
            with Journal(stem, left=True) as journal:
                if not is_sealed(stem):  # else its job ended just now, and what it found is final
                    journal.seal(ended=False)
        except (BlockingIOError, PermissionError):  # of a job that runs now, or of another user
            yield stem
