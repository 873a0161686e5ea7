"""Takes urls out of the store of fetched bytes, so that no byte of them stays."""

import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
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
)
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import remove_files, sync_folder
from workflow_scripts.core.files.names import FETCHED

LOCK = ".forget"  # in the store: held while urls are removed from it


def remove_urls(results: Path, urls: Iterable[str]) -> int:
    """Rewrite every segment below ``results/.fetched`` that knows one of ``urls``, without them.

    Killed anywhere and called again, it ends the same: a segment's new files are whole before its old ones go.

    Returns:
        Number of records taken out.

    Raises:
        PipelineError: a download that runs now has one of them in its segment.
    """
    wanted = set(urls)
    if not wanted:
        return 0
    hashes = np.array(sorted({url_hash(url) for url in wanted}), dtype=np.uint64)
    folders = store_folders(results)
    if not folders:
        return 0
    with key_lock(results / FETCHED / LOCK):  # what another call is writing looks like what a killed one left
        return sum(_remove_in(folder, wanted, hashes) for folder in folders)


def urls_kept(results: Path, tokens: Collection[str]) -> set[str]:
    """Urls in the store whose token is one of ``tokens``.

    Every line is read, since annotations that knew these urls may be gone: some seconds for a million.
    """
    found: set[str] = set()
    for stem in (stem for folder in store_folders(results) for stem in stems(folder)) if tokens else ():
        with suppress(FileNotFoundError):  # another call removed it
            segment = Segment(stem)
            try:
                found.update(url for url in segment.urls() if url_token(url) in tokens)
            finally:
                segment.close()
    return found


def store_folders(results: Path) -> list[Path]:
    """The store of a results folder, and the stores within it that belong to a demo's server."""
    root = results / FETCHED
    return [path for path in (root, *root.glob("[!.]*")) if path.is_dir()]


def clear(folder: Path) -> None:
    """Remove what a call that was killed left: segments half written, and half renamed or removed."""
    left = [path for suffix in (LINES, BYTES, INDEX) for path in folder.glob(f".*{suffix}")]
    alone = [path for suffix in (INDEX, BYTES) for path in folder.glob(f"[!.]*{suffix}")]
    remove_files(left + [path for path in alone if not with_suffix(path.with_suffix(""), LINES).exists()])


def _remove_in(folder: Path, wanted: set[str], hashes: np.ndarray) -> int:
    clear(folder)
    live = set(settle([stem for stem in stems(folder) if not is_sealed(stem)]))
    gone = 0
    for stem in stems(folder):
        hits = [] if stem in live else search(stem, hashes)
        if stem not in live and not hits:
            continue
        found, unreadable = _count(stem, wanted, hits)
        if found and stem in live:
            advice = "wait until the download has ended, then run again"
            raise PipelineError("cannot remove urls", stem, f"{found} urls of a download that runs now", advice)
        if found or unreadable:
            _rewrite(stem, wanted)
            gone += found
    return gone


def _count(stem: Path, wanted: set[str], hits: list[tuple[int, int, bool]]) -> tuple[int, bool]:
    """Lines with a wanted url, and whether one that the index knows by such a url's hash can't be read any more."""
    segment = Segment(stem)
    try:
        found = sum(record.url in wanted for record, _, _ in segment.records())
        return found, any(segment.record(at, size) is None for at, size, _ in hits)
    finally:
        segment.close()


def _rewrite(stem: Path, wanted: set[str]) -> None:
    """Copy what stays to a segment of another name, one record at a time, and remove the old files.

    What can't be read any more does not stay.
    """
    hidden = stem.with_name(f".{uuid.uuid4().hex}")  # no segment to others before it is whole
    old = Segment(stem)
    try:
        with Journal(hidden) as new:
            for record, _, _ in old.records():
                data = old.data(record) if record.size else b""
                if record.url not in wanted and data is not None:
                    new.add(replace(record, offset=0), data)
            new.seal(ended=_ended(stem))
    finally:
        old.close()
    final = stem.with_name(f"{stem.name.partition('+')[0]}+{hidden.name[1:9]}")
    # Lines make it a segment: they come last, and with the new segment on disk the old one can be removed.
    for suffixes in ((INDEX, BYTES), (LINES,)):
        for suffix in suffixes:
            with_suffix(hidden, suffix).rename(with_suffix(final, suffix))
        sync_folder(stem.parent)
    for suffixes in ((LINES,), (INDEX, BYTES)):
        remove_files(with_suffix(stem, suffix) for suffix in suffixes)


def _ended(stem: Path) -> bool:
    """Whether the segment's failures are final: none of its lines is open."""
    index = with_suffix(stem, INDEX).read_bytes()
    return not any(index[len(index) - len(index) // ENTRY :])
