"""Removes URLs and all of their bytes from the store of fetched bytes."""

import logging
import uuid
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from workflow_scripts.acquisition.annotations.removal_tokens import url_token
from workflow_scripts.acquisition.store.journal import Journal, settle
from workflow_scripts.acquisition.store.segment import (
    BYTES,
    ENTRY,
    INDEX,
    LINES,
    Segment,
    is_sealed,
    search,
    stems,
    url_hash,
    with_suffix,
    without_lines,
)
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import sync_folder
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.removal.deletion import delete, linked, may_delete

LOCK = ".forget"  # in the store: held while urls are removed from it
log = logging.getLogger(__name__)


def remove_urls(results: Path, urls: Iterable[str]) -> int:
    """Rewrite every segment below ``results/.fetched`` that contains one of ``urls``, without them.

    After a kill, a second call completes it: a segment's new files are complete before the old ones are removed.

    Returns:
        Number of records removed.

    Raises:
        PipelineError: a running download has one of them in its segment.
    """
    wanted, folders = set(urls), store_folders(results)
    if not wanted or not folders:
        return 0
    hashes = np.array(sorted({url_hash(url) for url in wanted}), dtype=np.uint64)
    with key_lock(results / FETCHED / LOCK):  # files that another call is writing look like leftovers of a killed one
        return sum(_remove_in(results, folder, wanted, hashes) for folder in folders)


def urls_kept(results: Path, tokens: Collection[str]) -> set[str]:
    """URLs in the store whose token is one of ``tokens``.

    Every line is read, since annotations that contained these URLs may be missing: some seconds for a million.
    """
    found: set[str] = set()
    for stem in (stem for folder in store_folders(results) for stem in stems(folder)) if tokens else ():
        with suppress(FileNotFoundError), closing(Segment(stem)) as segment:  # missing: another call removed it
            found.update(url for url in segment.urls() if url_token(url) in tokens)
    return found


def store_folders(results: Path) -> list[Path]:
    """The store of a results folder, and the stores of demo servers in it; none that a link leads to."""
    root = results / FETCHED
    return [path for path in (root, *root.glob("[!.]*")) if path.is_dir() and linked(results, path) is None]


def clear(results: Path, folder: Path) -> None:
    """Remove leftovers of a killed call: partially written, renamed or removed segments."""
    left = [path for suffix in (LINES, BYTES, INDEX) for path in folder.glob(f".*{suffix}")]
    delete(results, left + without_lines(folder)[0])


def _remove_in(results: Path, folder: Path, wanted: set[str], hashes: np.ndarray) -> int:
    clear(results, folder)
    for path in without_lines(folder)[1]:
        log.warning("%s may hold what is to be removed: its lines are missing; restore them, or delete it", path)
    own = [stem for stem in stems(folder) if _is_own(results, stem)]
    live = set(settle([stem for stem in own if not is_sealed(stem)]))
    removed = 0
    for stem in own:
        hits = [] if stem in live else search(stem, hashes)
        if stem not in live and not hits:
            continue
        found, unreadable = _count(stem, wanted, hits)
        if found and stem in live:
            advice = "wait until the download has ended, then run the same command again"
            raise PipelineError("cannot remove URLs", stem, f"{found} URLs of a running download", advice)
        if found or unreadable:
            _rewrite(results, stem, wanted)
            removed += found
    return removed


def _is_own(results: Path, stem: Path) -> bool:
    """Whether a segment has the name of one, and none of its files is a link."""
    linked_files = any(with_suffix(stem, suffix).is_symlink() for suffix in (LINES, BYTES, INDEX))
    return may_delete(results, with_suffix(stem, LINES)) and not linked_files


def _count(stem: Path, wanted: set[str], hits: list[tuple[int, int, bool]]) -> tuple[int, bool]:
    """Lines with a wanted URL, and whether a line that the index lists under such a URL's hash is unreadable."""
    with closing(Segment(stem)) as segment:
        found = sum(record.url in wanted for record, _, _ in segment.records())
        return found, any(segment.record(at, size) is None for at, size, _ in hits)


def _rewrite(results: Path, stem: Path, wanted: set[str]) -> None:
    """Copy the remaining records to a segment with another name, one at a time, and remove the old files.

    Unreadable records are dropped.
    """
    hidden = stem.with_name(f".{uuid.uuid4().hex}")  # hidden from other processes until it is complete
    with closing(Segment(stem)) as old, Journal(hidden) as new:
        for record, _, _ in old.records():
            data = old.data(record) if record.size else b""
            if record.url not in wanted and data is not None:
                new.add(replace(record, offset=0), data)
        new.seal(ended=_ended(stem))
    final = stem.with_name(f"{stem.name.partition('+')[0]}+{hidden.name[1:9]}")
    # The lines make it a segment, so they are renamed last; once the new segment is on disk, the old one is removed.
    for suffixes in ((INDEX, BYTES), (LINES,)):
        for suffix in suffixes:
            with_suffix(hidden, suffix).rename(with_suffix(final, suffix))
        sync_folder(stem.parent)
    for suffixes in ((LINES,), (INDEX, BYTES)):
        delete(results, (with_suffix(stem, suffix) for suffix in suffixes))


def _ended(stem: Path) -> bool:
    """Whether the segment's failures are final: none of its lines is open."""
    index = with_suffix(stem, INDEX).read_bytes()
    return not any(index[len(index) - len(index) // ENTRY :])
