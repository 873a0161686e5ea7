"""Checks what studies of a results folder share: the rest of the cache, remembered hashes, the store of fetched bytes.

Nearly all of this is verified whenever it is read. It is checked because a disk that damages one file may damage
others, and because images that were exchanged between URLs in the store would be packed like that.
"""

import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from workflow_scripts.audit.cache import read_entry
from workflow_scripts.audit.hashing import hashes
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.core.cache import stored
from workflow_scripts.core.code_equivalence import acceptances_file
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, kind_of
from workflow_scripts.core.files.names import CACHE, DISCARDED, FETCHED, STAGING
from workflow_scripts.core.files.notes import read_note
from workflow_scripts.core.sources import REMEMBERED
from workflow_scripts.study.active_config import NOTES

UNFINISHED = (STAGING, DISCARDED)  # left in a cache by running and killed jobs; cache-gc removes it


def shared_findings(results: Path, compared: Collection[Path], quick: bool, jobs: int) -> list[Finding]:
    """Yield findings of damage.

    Args:
        compared: cache entries that were compared with a study's artifacts.
        quick: look at no contents.
        jobs: files hashed at a time.
    """
    if quick:
        return []
    found = [*_links(results), *_no_folders(results), *_cache(results / CACHE, compared, jobs), *_remembered(results)]
    if (results / FETCHED).is_dir():
        # Not before: loading what reads the store takes longer than auditing a small study.
        from workflow_scripts.audit.store import store_findings

        found += store_findings(results / FETCHED)
    return found


def _links(results: Path) -> Iterator[Finding]:
    """Links beside the studies: another results folder may change what they lead to."""
    folders = [path for name in (CACHE, FETCHED) for path in sorted((results / name).glob("*")) if path.is_dir()]
    notes = [*sorted((results / NOTES).glob("*")), acceptances_file(results)]
    for path in [*(results / name for name in (CACHE, FETCHED, NOTES)), *folders, *notes]:
        if path.is_symlink():
            yield finding(Kind.LINK, path, f"leads to {path.readlink()}")


def _no_folders(results: Path) -> Iterator[Finding]:
    """What lies in the place of the cache, of a stage's folder in it, or of the store, and is no folder."""
    places = [(path, Kind.DAMAGED_CACHE) for path in (results / CACHE, *sorted((results / CACHE).glob("[!.]*")))]
    for path, kind in (*places, (results / FETCHED, Kind.DAMAGED_STORE)):
        if path.exists() and not path.is_dir():
            yield finding(kind, path, "not a folder")


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
