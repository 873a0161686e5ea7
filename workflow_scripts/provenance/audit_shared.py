"""What the studies of a results folder share: the rest of the cache, remembered hashes, and the store of fetched bytes.

None of it can make a wrong result, since each is checked whenever it is read. It is looked at because a disk that
damages one file may damage others.
"""

import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.acquisition.record import Record
from workflow_scripts.acquisition.segment import (
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
from workflow_scripts.acquisition.store import FOLDER
from workflow_scripts.core.bounded_json import Unfit, kind_of
from workflow_scripts.core.cache import stored
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.notes import read_note
from workflow_scripts.core.sources import REMEMBERED
from workflow_scripts.provenance.audit_cache import read_entry
from workflow_scripts.provenance.audit_kinds import Finding, Kind, finding
from workflow_scripts.provenance.hashing import hashes

COLUMNS: tuple[np.dtype[Any], ...] = (HASH, OFFSET, LENGTH, OPEN)  # of an index
UNFINISHED = (".staging", ".discarded-")  # what running and killed jobs leave in a cache; tools.cache_gc removes it


def shared_findings(results: Path, compared: Collection[Path], quick: bool, jobs: int) -> list[Finding]:
    """What is damaged.

    Args:
        compared: cache entries that were compared with a study's artifacts.
        quick: look at no contents.
        jobs: files hashed at a time.
    """
    if quick:
        return []
    return [*_cache(results / ".cache", compared, jobs), *_remembered(results), *_store(results / FOLDER)]


def _cache(cache: Path, compared: Collection[Path], jobs: int) -> Iterator[Finding]:
    wanted: dict[Path, tuple[str, int]] = {}
    for entry in sorted(cache.glob("[!.]*/*")):
        if entry in compared or entry.name.startswith(UNFINISHED):
            continue
        try:
            for suffix, one in read_entry(entry).files().items():
                wanted[stored(entry, suffix)] = (one["sha256"], one["bytes"])
        except (Unfit, OSError) as error:
            yield finding(Kind.DAMAGED_CACHE, entry, str(error))
    regular = []
    for path, (_, size) in wanted.items():
        try:
            mode = path.lstat().st_mode
        except OSError as error:
            yield finding(Kind.DAMAGED_CACHE, path, str(error.strerror))
            continue
        if stat.S_ISREG(mode):
            regular.append((path, size))
        else:
            yield finding(Kind.DAMAGED_CACHE, path, f"it is {kind_of(mode)}")
    for path, value in hashes(regular, jobs):
        if value != wanted[path][0]:
            detail = str(value.strerror) if isinstance(value, OSError) else f"sha256 {value[:12]}, not as recorded"
            yield finding(Kind.DAMAGED_CACHE, path, detail)


def _remembered(results: Path) -> Iterator[Finding]:
    for path in sorted((results / REMEMBERED).glob("*")):
        try:
            read_note(path, "delete it")
        except PipelineError as error:
            yield finding(Kind.DAMAGED_CACHE, path, str(error.value))


def _store(store: Path) -> Iterator[Finding]:
    """Bytes and lines of finished segments; one that a job still writes to is left alone."""
    for folder in sorted({path.parent for path in store.rglob(f"[!.]*{LINES}")}):
        for stem in stems(folder):
            if is_sealed(stem):
                yield from _segment(stem)


def _segment(stem: Path) -> Iterator[Finding]:
    lines = with_suffix(stem, LINES)
    try:
        if not all(stat.S_ISREG(with_suffix(stem, one).stat().st_mode) for one in (LINES, INDEX)):
            raise OSError("no regular file")
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
