"""Cleans up what a kill or a power loss may leave in a results folder.

None of it can be mistaken for a result: the next run would skip or repair it by itself. Removing it frees disk space,
and needs no sync, since it may reappear. Anything locked by another process is kept.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path

from workflow_scripts.acquisition.store.journal import settle
from workflow_scripts.acquisition.store.segment import is_sealed, stems
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import discard, is_complete, key_lock, try_key_lock
from workflow_scripts.core.files.names import BROWSE, CACHE, CRATE, DISCARDED, FETCHED, STAGING, WORK, work_folder
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
        if not crate.exists():
            os.rename(aside, crate)
            restored += 1
    for left in sorted(results.glob(f"*/.{CRATE}.*.part*")):
        shutil.rmtree(left)
    return restored


def _indexes(results: Path) -> int:
    removed = 0
    for half in sorted((results / BROWSE).glob("*/.*.part")):
        with try_key_lock(half.with_name("index")) as idle:
            if idle:
                shutil.rmtree(half)
                removed += 1
    return removed


def _temporary_files(results: Path) -> int:
    found = [
        Path(folder, name) for folder, _, names in os.walk(results) for name in names if fnmatchcase(name, ".*.part")
    ]
    work = results / WORK
    removed = 0
    for path in found:
        with ExitStack() as held:
            if path.is_relative_to(work):
                stage, key, *_ = path.relative_to(work).parts
                if not held.enter_context(try_key_lock(work / stage / key)):
                    continue
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _cache_leftovers(results: Path) -> int:
    removed = 0
    for half in sorted((results / CACHE / STAGING).glob("*-*-*")):
        stage, key, _ = half.name.rsplit("-", 2)
        with try_key_lock(work_folder(results, stage, key)) as idle:
            if idle:
                shutil.rmtree(half)
                removed += 1
    for aside in sorted((results / CACHE).glob(f"*/{DISCARDED}*")):
        shutil.rmtree(aside)
        removed += 1
    return removed


def _incomplete_entries(results: Path) -> int:
    removed = 0
    for entry in sorted((results / CACHE).glob("[!.]*/[!.]*")):
        if not entry.is_dir() or is_complete(entry):
            continue
        with try_key_lock(work_folder(results, entry.parent.name, entry.name)) as idle:
            if idle:
                discard(entry)
                removed += 1
    return removed


def _segments(results: Path) -> int:
    finished = 0
    for folder in store_folders(results):
        with key_lock(results / FETCHED / LOCK):
            clear(folder)
        left = [stem for stem in stems(folder) if not is_sealed(stem)]
        finished += len(left) - len(list(settle(left)))
    return finished


def _locks(results: Path) -> int:
    return sum(_unlocked(path) for path in sorted((results / WORK).glob("*/*.lock")))


def _unlocked(path: Path) -> bool:
    with try_key_lock(path.with_suffix("")) as idle:  # removes the file of a lock that no process holds
        return idle


def _withdrawn(results: Path) -> int:
    return sum(1 for _ in _records_without_manifest(results))


def _records_without_manifest(results: Path) -> Iterator[Path]:
    for record in results.glob(f"[!.]*/[!.]*/*{RUN}"):
        if not record.with_name(record.name.removesuffix(RUN) + MANIFEST).exists():
            yield record
