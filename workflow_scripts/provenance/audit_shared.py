"""What the studies of a results folder share: the rest of the cache, remembered hashes, and the store of fetched bytes.

None of it can make a wrong result, since each is checked whenever it is read. It is looked at because a disk that
damages one file may damage others.
"""

import json
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from workflow_scripts.acquisition.segment import INDEX, LINES, Segment, is_sealed, stems, with_suffix
from workflow_scripts.acquisition.store import FOLDER
from workflow_scripts.core.bounded_json import Unfit, kind_of
from workflow_scripts.core.cache import stored
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.notes import read_note
from workflow_scripts.core.sources import REMEMBERED
from workflow_scripts.provenance.audit_cache import read_entry
from workflow_scripts.provenance.audit_kinds import Finding, Kind, finding
from workflow_scripts.provenance.hashing import hashes

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
        whole, lost = 0, 0
        for record, _, length in segment.records():
            whole += length
            lost += bool(record.size) and segment.data(record) is None
        if whole != lines.stat().st_size:
            yield finding(Kind.DAMAGED_STORE, lines, "some lines can't be read; what they name is fetched again")
        if lost:
            yield finding(Kind.DAMAGED_STORE, lines, f"bytes of {lost} URLs are not the recorded ones")
    except (OSError, json.JSONDecodeError) as error:
        yield finding(Kind.DAMAGED_STORE, lines, str(error))
    finally:
        segment.close()
