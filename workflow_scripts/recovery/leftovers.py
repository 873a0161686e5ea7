"""Cleans up what a kill or a power loss may leave in a results folder.

None of it can be mistaken for a result: the next run would skip or repair it by itself. Removing it frees disk space,
and needs no sync, since it may reappear. Anything locked by another process is kept, and everything that
:mod:`workflow_scripts.removal.deletion` does not allow to delete.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from workflow_scripts.acquisition.store.journal import settle
from workflow_scripts.acquisition.store.segment import is_sealed, stems
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import discard, is_complete, key_lock, try_key_lock
from workflow_scripts.core.files.names import BROWSE, CACHE, CRATE, DISCARDED, FETCHED, STAGING, WORK, work_folder
from workflow_scripts.removal.deletion import delete, linked, may_delete
from workflow_scripts.removal.store import LOCK, clear, store_folders


def repair(results: Path) -> list[str]:
    """Repair a results folder that no Snakemake uses; returns messages, none if nothing had to be repaired.

    Raises:
        OSError: something can't be removed or written.
    """
    if not results.is_dir():
        return []
    steps: tuple[tuple[Callable[[Path], int], str], ...] = (
        (_locks, "removed {} stale lock files"),
        (_crates, "restored {} crates that were being replaced"),
        (_indexes, "removed {} unfinished indexes of the browser"),
        (_temporary_files, "removed {} temporary files"),
        (_cache_leftovers, "removed {} unfinished or discarded cache entries"),
        (_incomplete_entries, "removed {} incomplete cache entries; they are recomputed when needed"),
        (_segments, "finished {} segments of interrupted downloads"),
        (_withdrawn, "{} artifacts were being replaced; run snakemake to publish them"),
    )
    found = [(says, step(results)) for step, says in steps]
    return [says.format(number) for says, number in found if number]


def _crates(results: Path) -> int:
    """Restore crates: one is replaced by two renames; if the second is missing, the old crate is restored."""
    restored = 0
    for aside in sorted(results.glob(f"*/.{CRATE}.*.part.old")):
        crate = aside.parent / CRATE
        if may_delete(results, aside) and not os.path.lexists(crate):
            os.rename(aside, crate)
            restored += 1
    delete(results, sorted(results.glob(f"*/.{CRATE}.*.part*")))
    return restored


def _indexes(results: Path) -> int:
    removed = 0
    for half in sorted((results / BROWSE).glob("*/.*.part")):
        if may_delete(results, half):
            with try_key_lock(half.with_name("index")) as idle:
                removed += len(delete(results, [half])) if idle else 0
    return removed


def _temporary_files(results: Path) -> int:
    found = [Path(folder, name) for folder, _, names in os.walk(results) for name in names if name.endswith(".part")]
    work = results / WORK
    removed = 0
    for path in (path for path in found if may_delete(results, path)):
        with ExitStack() as held:
            if path.is_relative_to(work):
                stage, key, *_ = path.relative_to(work).parts
                if not held.enter_context(try_key_lock(work / stage / key)):
                    continue
            removed += len(delete(results, [path]))
    return removed


def _cache_leftovers(results: Path) -> int:
    removed = 0
    for half in sorted((results / CACHE / STAGING).glob("*-*-*")):
        stage, key, _ = half.name.rsplit("-", 2)
        if may_delete(results, half) and linked(results, work_folder(results, stage, key)) is None:
            with try_key_lock(work_folder(results, stage, key)) as idle:
                removed += len(delete(results, [half])) if idle else 0
    return removed + len(delete(results, sorted((results / CACHE).glob(f"*/{DISCARDED}*"))))


def _incomplete_entries(results: Path) -> int:
    removed = 0
    for entry in sorted((results / CACHE).glob("[!.]*/[!.]*")):
        work = work_folder(results, entry.parent.name, entry.name)
        if not may_delete(results, entry) or linked(results, work) or is_complete(entry):
            continue
        with try_key_lock(work) as idle:
            if idle:
                discard(entry)
                removed += 1
    return removed


def _segments(results: Path) -> int:
    finished = 0
    for folder in store_folders(results):
        with key_lock(results / FETCHED / LOCK):
            clear(results, folder)
        left = [stem for stem in stems(folder) if not is_sealed(stem)]
        finished += len(left) - len(list(settle(left)))
    return finished


def _locks(results: Path) -> int:
    return sum(_unlocked(path) for path in sorted((results / WORK).glob("*/*.lock")) if may_delete(results, path))


def _unlocked(path: Path) -> bool:
    with try_key_lock(path.with_suffix("")) as idle:  # removes the file of a lock that no process holds
        return idle


def _withdrawn(results: Path) -> int:
    return sum(1 for _ in _records_without_manifest(results))


def _records_without_manifest(results: Path) -> Iterator[Path]:
    for record in results.glob(f"[!.]*/[!.]*/*{RUN}"):
        if not record.with_name(record.name.removesuffix(RUN) + MANIFEST).exists():
            yield record
