"""One segment of the store of fetched bytes: three files that share a name.

``<name>.bin`` holds the bytes one after the other; ``<name>.jsonl`` holds a line per finished URL with the position of
its bytes; ``<name>.idx``, once the segment is sealed, holds the position of each URL's line in four consecutive arrays,
sorted by the first: URL hash (uint64), offset and length of the line (uint64, uint32), and whether the failure is open
(uint8): it may be temporary, and its job did not complete.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from workflow_scripts.acquisition.store.record import Record, from_line, sha256, url_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import write_durable

LINES, BYTES, INDEX = ".jsonl", ".bin", ".idx"
HASH, OFFSET, LENGTH, OPEN = np.dtype("<u8"), np.dtype("<u8"), np.dtype("<u4"), np.dtype("u1")
ENTRY = HASH.itemsize + OFFSET.itemsize + LENGTH.itemsize + OPEN.itemsize


def url_hash(url: str) -> int:
    """The first 8 bytes of a URL's sha256, by which an index is sorted."""
    return int(sha256(url.encode(errors="surrogatepass"))[:16] or "0", 16)


class Segment:
    """A segment opened for reading; it may be sealed, or another process may still be writing to it.

    Args:
        stem: its path without suffix.
    """

    def __init__(self, stem: Path) -> None:
        self.stem = stem
        self._lines = os.open(with_suffix(stem, LINES), os.O_RDONLY)
        self._bytes: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        os.close(self._lines)
        if self._bytes is not None:
            os.close(self._bytes)

    def record(self, offset: int, length: int) -> Record | None:
        """The record of a line; None if the line is damaged, or not there."""
        there = offset + length <= os.fstat(self._lines).st_size
        return from_line(os.pread(self._lines, length, offset)) if there else None

    def records(self) -> Iterator[tuple[Record, int, int]]:
        """Every intact line's record, with the line's offset and length; damaged lines are skipped."""
        return ((record, offset, length) for record, offset, length in self.lines() if record is not None)

    def lines(self) -> Iterator[tuple[Record | None, int, int]]:
        """Every complete line's record, None if the line is damaged; with the line's offset and length."""
        offset = 0
        with open(self._lines, "rb", closefd=False) as stream:
            stream.seek(0)
            for line in stream:
                if line.endswith(b"\n"):
                    yield from_line(line), offset, len(line)
                offset += len(line)

    def urls(self) -> Iterator[str]:
        """Every line's URL, without parsing the rest of the line; several times as fast as :meth:`records`."""
        with open(self._lines, "rb", closefd=False) as stream:
            stream.seek(0)
            for line in stream:
                url = url_of(line)
                if url is not None:
                    yield url

    def data(self, record: Record) -> bytes | None:
        """The bytes of a URL, or None if they do not match the record (the disk lost them)."""
        if self._bytes is None:
            try:
                self._bytes = os.open(with_suffix(self.stem, BYTES), os.O_RDONLY)
            except FileNotFoundError:
                return None
        if record.offset + record.size > os.fstat(self._bytes).st_size:
            return None
        data = os.pread(self._bytes, record.size, record.offset)
        return data if sha256(data) == record.sha256 else None


def with_suffix(stem: Path, suffix: str) -> Path:
    """One of a segment's files."""
    return stem.with_name(stem.name + suffix)


def is_sealed(stem: Path) -> bool:
    """Whether a segment has an index, and so is read-only."""
    return with_suffix(stem, INDEX).exists()


def stems(folder: Path) -> list[Path]:
    """Paths, without suffix, of all segments in a folder, by name."""
    return sorted(path.with_suffix("") for path in folder.glob(f"[!.]*{LINES}"))


def without_lines(folder: Path) -> tuple[list[Path], list[Path]]:
    """Bytes and indexes whose lines are missing: those that a killed removal left, and those whose lines were lost.

    A removal writes a segment again, as ``<name>+<digits>``, and removes the lines of the old one first.
    """
    names = {stem.name.partition("+")[0] for stem in stems(folder)}
    alone = sorted(
        path
        for suffix in (BYTES, INDEX)
        for path in folder.glob(f"[!.]*{suffix}")
        if not path.with_suffix(LINES).exists()
    )
    left = [path for path in alone if path.stem.partition("+")[0] in names]
    return left, [path for path in alone if path not in left]


def seal(stem: Path, ended: bool) -> None:
    """Write a segment's index, which completes it. The caller must hold the segment's lock.

    The segment's lines and bytes have been synced; their names, and the index, are on disk when this returns.

    Args:
        stem: its path without suffix.
        ended: whether the job completed, so that temporary failures are final for its round.
    """
    with Segment(stem) as segment:
        entries = [(url_hash(r.url), at, size, r.may_pass and not ended) for r, at, size in segment.records()]
    entries.sort()
    columns: list[tuple[int, ...]] = list(zip(*entries, strict=True)) or [()] * 4
    kinds: tuple[np.dtype[Any], ...] = (HASH, OFFSET, LENGTH, OPEN)
    whole = b"".join(np.array(column, kind).tobytes() for column, kind in zip(columns, kinds, strict=True))
    write_durable(with_suffix(stem, INDEX), whole)


def search(stem: Path, wanted: np.ndarray) -> list[tuple[int, int, bool]]:
    """Lines of a sealed segment whose URL may be among the wanted ones: offset, length, and whether it is open.

    Args:
        stem: the segment's path without suffix.
        wanted: (n,) uint64, sorted hashes of URLs, n > 0.

    Raises:
        PipelineError: the index is incomplete.
    """
    path = with_suffix(stem, INDEX)
    with open(path, "rb") as stream:
        count, rest = divmod(os.fstat(stream.fileno()).st_size, ENTRY)
        if rest:
            raise PipelineError("damaged index", path, f"{rest} extra bytes", "delete it; it will be rebuilt")
        hashes = np.frombuffer(stream.read(count * HASH.itemsize), dtype=HASH)
        place = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
        hits = np.flatnonzero(wanted[place] == hashes)
        if not len(hits):
            return []
        offsets, lengths, still_open = (
            np.frombuffer(stream.read(count * kind.itemsize), dtype=kind)[hits].tolist()
            for kind in (OFFSET, LENGTH, OPEN)
        )
    return [(at, size, bool(flag)) for at, size, flag in zip(offsets, lengths, still_open, strict=True)]
