"""Imports existing images into the store as if they had been fetched.

They are in the annotation source itself, or RedCaps' own downloader fetched them before.
"""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.acquisition.annotations.local_image import parse_local
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.states import DAMAGED, IMPORTED, State
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.threads import in_threads

log = logging.getLogger(__name__)


def bring_in(rows: pa.Table, downloads: DownloadState, settings: Download, workers: int) -> None:
    """Take the images of waiting URLs from ``settings.imports``: from the first import with an intact image.

    Args:
        rows: rows of the plan, with key, url and subreddit.
        downloads: receives the images, which are checked and prepared like fetched ones.
        settings: settings of the download stage.
        workers: threads that check and prepare.

    Raises:
        PipelineError: an import's folder does not exist.
    """

    def take(image: tuple[str, bytes]) -> None:
        url, data = image
        if downloads.finish(url, State.OK, None, data, _tried(len(data)), imported=True) in DAMAGED:
            damaged.append(url)

    for folder in settings.imports:
        damaged: list[str] = []
        in_threads(take, _images(Path(folder), rows, downloads.waiting, settings.max_bytes), workers)
        if damaged:
            log.warning("%s: %d files are damaged; their URLs will be fetched", folder, len(damaged))


def bring_local(downloads: DownloadState, source: Callable[[], Path], max_bytes: int, workers: int) -> None:
    """Finish every waiting URL of an image in the annotation source; damaged images are treated like fetched ones.

    Args:
        downloads: receives the images, or the reason why there is none.
        source: returns the annotation source; called only if there are such URLs.
        max_bytes: maximum size of an image.
        workers: threads that read, check and prepare.

    Raises:
        PipelineError: an image is missing or changed since the annotations were read.
    """
    images = {url: image for url in downloads.waiting if (image := parse_local(url)) is not None}
    if not images:
        return
    folder = source()

    def take(url: str) -> None:
        data = images[url].read(folder, max_bytes)
        state = State.TOO_LARGE if data is None else State.OK if data else State.EMPTY
        downloads.finish(url, state, None, data or b"", _tried(len(data or b"")))

    in_threads(take, progress(list(images), len(images), "local images"), workers)


def _tried(size: int) -> list[dict[str, Any]]:
    """The attempt that records an imported image."""
    attempt = {"attempt": 1, "started": round(time.time(), 3), "seconds": 0.0, "state": IMPORTED}
    return [{**attempt, "http_status": None, "read": size}]


def _images(folder: Path, rows: pa.Table, waiting: list[str], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        raise PipelineError("missing import", folder, "no such folder", "correct download.imports in the config")
    left = set(waiting)
    for batch in rows.select(["key", "url", "subreddit"]).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            data = _file(folder / row["subreddit"] / f"{row['key']}.jpg", max_bytes) if row["url"] in left else b""
            if data:
                left.discard(row["url"])
                yield row["url"], data


def _file(path: Path, max_bytes: int) -> bytes:
    """A file's bytes; empty if it is missing or larger than allowed."""
    if not path.is_file():  # opening a pipe would block forever
        return b""
    with open(path, "rb") as stream:
        data = stream.read(max_bytes + 1)
    return data if len(data) <= max_bytes else b""
