"""The store of fetched bytes: every line against its index, and all bytes against their hashes."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import (
    HASH,
    INDEX,
    LENGTH,
    LINES,
    OFFSET,
    OPEN,
    Segment,
    is_sealed,
    stems,
    url_hash,
    with_suffix,
)
from workflow_scripts.audit.kinds import Finding, Kind, finding

COLUMNS: tuple[np.dtype[Any], ...] = (HASH, OFFSET, LENGTH, OPEN)  # of an index


def store_findings(store: Path) -> Iterator[Finding]:
    """Damage of bytes and lines in finished segments; one that a job still writes to is left alone."""
    for folder in sorted({path.parent for path in store.rglob(f"[!.]*{LINES}")}):
        for stem in stems(folder):
            if is_sealed(stem):
                yield from _segment(stem)


def _segment(stem: Path) -> Iterator[Finding]:
    lines = with_suffix(stem, LINES)
    try:
        if not all(stat.S_ISREG(with_suffix(stem, one).stat().st_mode) for one in (LINES, INDEX)):
            raise OSError("not a regular file")
        segment = Segment(stem)
    except OSError as error:
        yield finding(Kind.DAMAGED_STORE, lines, str(error.strerror or error))
        return
    try:
        found = list(segment.records())
        lost = sum(1 for record, _, _ in found if record.size and segment.data(record) is None)
        if sum(length for _, _, length in found) != lines.stat().st_size:
            yield finding(Kind.DAMAGED_STORE, lines, "some lines can't be read; what they name is fetched again")
        elif lost:
            yield finding(Kind.DAMAGED_STORE, lines, f"bytes of {lost} URLs are not the recorded ones")
        elif not _fits(with_suffix(stem, INDEX), found):
            yield finding(Kind.DAMAGED_STORE, with_suffix(stem, INDEX), "not the index of its lines")
    except (OSError, ValueError) as error:
        yield finding(Kind.DAMAGED_STORE, lines, str(error))
    finally:
        segment.close()


def _fits(index: Path, found: Sequence[tuple[Record, int, int]]) -> bool:
    """Whether an index is one that is written for these lines, by a job that came to its end or one that did not."""
    data = index.read_bytes()
    for ended in (True, False):
        entries = sorted((url_hash(r.url), at, length, r.may_pass and not ended) for r, at, length in found)
        columns: list[tuple[int, ...]] = list(zip(*entries, strict=True)) or [()] * 4
        if data == b"".join(np.array(one, kind).tobytes() for one, kind in zip(columns, COLUMNS, strict=True)):
            return True
    return False
