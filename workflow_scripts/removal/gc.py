"""Finds and removes unused cache entries, work folders and staging files of a results folder.

Safe while jobs are running: a key's lock is taken before anything of that key is removed, and locked keys are kept. A
job that had found an entry before its removal recomputes it (:mod:`workflow_scripts.core.runtime.stage`). Only what
:mod:`workflow_scripts.removal.deletion` allows to delete is planned, and it is asked again before the removal.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.artifact import RUN
from workflow_scripts.core.cache import discard, try_key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.core.files.names import CACHE, DISCARDED, ENTRY_MANIFEST, ENTRY_RECORD, STAGING, WORK
from workflow_scripts.removal.deletion import delete, linked, may_delete

KINDS = {
    "entry": "cache entries that no study uses",
    "staging": "unfinished cache entries of dead jobs",
    "discarded": "cache entries that were being deleted",
    "work": "old work folders",
    "part": "temporary files of dead jobs",
}
DAY = 86_400.0
PART_AGE = 1 * DAY  # a temporary file exists for one write; after a day it is abandoned


@dataclass(frozen=True)
class Piece:
    """Something that can be removed.

    Attributes:
        kind: one of :data:`KINDS`.
        path: folder or file.
        key: ``<stage>/<key>`` whose lock guards it, or None.
        freed: disk space that its removal frees; a file that results link to frees nothing.
        held: bytes that the cache counts less without it, linked elsewhere or not.
        used: seconds since the epoch of its last use.
    """

    kind: str
    path: Path
    key: str | None
    freed: int
    held: int
    used: float


@dataclass
class Plan:
    """What :func:`collect` will do.

    Attributes:
        cache: bytes of all cache entries.
        in_use: bytes of those that a study uses.
        remove: what is removed, oldest first.
        spared: stages that are kept entirely because a run record could not be read, with that record's path.
    """

    cache: int = 0
    in_use: int = 0
    remove: list[Piece] = field(default_factory=list)
    spared: dict[str, str] = field(default_factory=dict)


def plan(results: Path, max_size: int | None, work_age: float, now: float | None = None) -> Plan:
    """What to remove from ``results``.

    Args:
        max_size: bytes that the cache may have: unused entries go, longest unused first, until it fits. None: all
            unused entries go.
        work_age: seconds without a change after which an unfinished work folder counts as given up.
        now: seconds since the epoch; for tests.

    Raises:
        PipelineError: ``results`` is no results folder, or its cache holds things that are no entries.
    """
    now = time.time() if now is None else now
    if not (results / CACHE).is_dir():
        raise PipelineError("no cache", results, "it has no folder .cache", "give the results folder")
    for folder in (results / CACHE, results / WORK):
        if folder.is_symlink():
            advice = "links are not followed; move the results folder as a whole, and link to that"
            raise PipelineError("not a folder", folder, f"a link to {os.readlink(folder)}", advice)
    made = Plan()
    used = _keys_in_use(results, made.spared)
    entries = _pieces(results, "entry", _entries(results), lambda path: f"{path.parent.name}/{path.name}")
    made.cache = sum(one.held for one in entries)
    unused = [piece for piece in entries if piece.key not in used and piece.path.parent.name not in made.spared]
    made.in_use = made.cache - sum(one.held for one in unused)
    left = made.cache
    for one in sorted(unused, key=lambda one: (one.used, one.key)):
        if max_size is not None and left <= max_size:
            break
        left -= one.held
        made.remove.append(one)
    removed = {one.key for one in made.remove}
    made.remove += _leftovers(results, removed, work_age, now)
    return made


def collect(results: Path, pieces: Iterable[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Remove the pieces; returns the removed ones and the kept ones (locked, used since, another user's, a link)."""
    went: list[Piece] = []
    stayed: list[Piece] = []
    for piece in pieces:
        (went if _take(results, piece) else stayed).append(piece)
    return went, stayed


def _take(results: Path, piece: Piece) -> bool:
    with suppress(PermissionError, FileNotFoundError):  # another user's, or removed meanwhile
        if piece.key is None:
            return bool(delete(results, [piece.path]))
        if linked(results, results / WORK / piece.key) or not may_delete(results, piece.path):
            return False
        with try_key_lock(results / WORK / piece.key) as ours:
            if ours and _last_use(piece.kind, piece.path) == piece.used:
                if piece.kind != "entry":
                    return bool(delete(results, [piece.path]))
                discard(piece.path)
                return not piece.path.exists()
    return False


def _entries(results: Path) -> list[Path]:
    """All cache entries; a ``.cache`` that holds anything else is not ours, such as the one of a home folder."""
    found = []
    for stage in sorted((results / CACHE).glob("[!.]*")):
        inside = sorted(stage.glob("[!.]*")) if stage.is_dir() and not stage.is_symlink() else [stage]
        for path in inside:
            if _is_entry(path) and may_delete(results, path):
                found.append(path)
            elif os.path.lexists(path):  # otherwise it was just removed
                advice = "give the results folder, or move this out of it"
                raise PipelineError("not a results folder's cache", results, f"{path} is not a cache entry", advice)
    return found


def _is_entry(path: Path) -> bool:
    """Whether it is shaped like an entry; a damaged one may lack parts."""
    return path.is_dir() and any((path / name).exists() for name in (ENTRY_MANIFEST, ENTRY_RECORD, "files"))


def _keys_in_use(results: Path, spared: dict[str, str]) -> set[str]:
    """``<stage>/<key>`` of all run records of all studies; a record that can't be read spares its whole stage."""
    used = set()
    for study in sorted(results.iterdir()):
        if study.name.startswith(".") or not study.is_dir():
            continue
        for path in study.glob(f"*/*{RUN}"):
            stage = path.parent.name
            try:
                used.add(f"{stage}/{read_object(path)['key']}")
            except (OSError, Unfit, KeyError):
                spared[stage] = str(path)
    return used


def _leftovers(results: Path, removed: set[str | None], work_age: float, now: float) -> list[Piece]:
    """Work folders that are abandoned or of finished keys, and unfinished files of dead jobs."""
    cache = results / CACHE
    folders = [path for path in sorted((results / WORK).glob("*/*")) if path.is_dir()]
    found = []
    for piece in _pieces(results, "work", folders, lambda path: f"{path.parent.name}/{path.name}"):
        finished = (cache / str(piece.key) / ENTRY_MANIFEST).exists() and piece.key not in removed
        if finished or now - piece.used > work_age:
            found.append(piece)
    staged = sorted((cache / STAGING).glob("*"))
    found += _pieces(results, "staging", staged, lambda path: "/".join(path.name.rsplit("-", 2)[:2]))
    found += _pieces(results, "discarded", sorted(cache.glob(f"*/{DISCARDED}*")), lambda _: None)
    parts = _pieces(results, "part", _halves(results), lambda _: None)
    return found + [piece for piece in parts if now - piece.used > PART_AGE]


def _halves(results: Path) -> Iterator[Path]:
    """What has a temporary name, of notes, of crates, of data."""
    # Folders of keys may be removed while they are listed, which os.walk tolerates and glob does not.
    for top, folders, names in os.walk(results):
        folders.sort()
        yield from (Path(top, name) for name in sorted(folders + names) if name.endswith((".part", ".part.old")))


def _pieces(results: Path, kind: str, paths: Iterable[Path], key: Callable[[Path], str | None]) -> list[Piece]:
    """The pieces at those of ``paths`` that are the project's own; those that disappear meanwhile are skipped."""
    found = []
    for path in (path for path in paths if may_delete(results, path)):
        with suppress(FileNotFoundError):
            status = [file.lstat() for file in _files(path)]
            held, freed = sum(one.st_size for one in status), sum(one.st_size for one in status if one.st_nlink == 1)
            found.append(Piece(kind, path, key(path), freed, held, _last_use(kind, path)))
    return found


def _last_use(kind: str, path: Path) -> float:
    if kind == "entry":  # a hit sets the time of the entry's manifest
        manifest = path / ENTRY_MANIFEST
        return (manifest if manifest.exists() else path).stat().st_mtime
    return max([path.stat().st_mtime, *(file.lstat().st_mtime for file in _files(path))])


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
