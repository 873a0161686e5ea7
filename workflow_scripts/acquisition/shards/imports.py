"""Imports existing images into the store as if they had been fetched.

They are in the annotation source itself, or another tool downloaded them before. Of img2dataset's shards, an index by
URL is kept in ``results/.fetched/.imports``, and rebuilt when a shard's stamp changes. It holds hashes of URLs, not
URLs.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.local_image import parse_local
from workflow_scripts.acquisition.settings import Download, Import
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.states import DAMAGED, IMPORTED, State
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.core.files.durable import move_atomic
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.inputs import stamp_of
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.threads import in_threads

# The first 16 bytes of the URL's sha256; number of the tar, and the image's offset and size in it.
ENTRY = pa.schema([("url", pa.binary()), ("file", pa.int32()), ("at", pa.int64()), ("size", pa.int64())])
IMAGES = ("jpg", "jpeg", "png", "webp")
MAX_JSON = 1 << 20  # bytes of a sample's description
UNREADABLE, ADVICE = "unreadable shard to import", "fetch that shard again with img2dataset, or move it away"
log = logging.getLogger(__name__)


def bring_in(rows: pa.Table, downloads: DownloadState, settings: Download, results: Path, workers: int) -> None:
    """Take the images of waiting URLs from ``settings.imports``: from the first import with an intact image.

    Args:
        rows: rows of the plan, with key, url and subreddit.
        downloads: receives the images, which are checked and prepared like fetched ones.
        settings: settings of the download stage.
        results: the results folder, which keeps the indexes of img2dataset shards.
        workers: threads that check and prepare.

    Raises:
        PipelineError: an import's folder does not exist, or contains no images of its kind.
    """

    def take(image: tuple[str, bytes]) -> None:
        url, data = image
        if downloads.finish(url, State.OK, None, data, _tried(len(data)), imported=True) in DAMAGED:
            damaged.append(url)

    for wanted in settings.imports:
        damaged: list[str] = []
        in_threads(take, _images(wanted, rows, downloads.waiting, settings.max_bytes, results), workers)
        if damaged:
            log.warning("%s: %d files are damaged; their URLs will be fetched", wanted.source, len(damaged))


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


def _images(
    wanted: Import, rows: pa.Table, waiting: list[str], max_bytes: int, results: Path
) -> Iterator[tuple[str, bytes]]:
    folder = Path(wanted.source)
    if not folder.is_dir():
        raise PipelineError("missing import", folder, "no such folder", "correct download.imports in the config")
    if wanted.kind == "img2dataset":
        yield from ImportIndex(folder, results, max_bytes).images(waiting)
        return
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


class ImportIndex:
    """The images of the img2dataset shards below ``folder``.

    Raises:
        PipelineError: no shard with images there, or a damaged one.
    """

    def __init__(self, folder: Path, results: Path, max_bytes: int) -> None:
        self._files = sorted(path for path in folder.glob("*.tar") if path.is_file())
        self._max_bytes = max_bytes
        stamps = [[path.name, *stamp_of(path.stat())] for path in self._files]
        name = digest({"folder": str(folder.resolve()), "files": stamps})[:32]
        self._index = results / FETCHED / ".imports" / f"{name}.parquet"
        if not self._index.exists():
            with key_lock(self._index):
                if not self._index.exists():
                    self._make(folder)

    def _make(self, folder: Path) -> None:
        log.info("indexing %d files of %s", len(self._files), folder)
        parts = [ENTRY.empty_table()]
        for number, path in enumerate(self._files):
            with readable(UNREADABLE, path, ADVICE):
                entries = [
                    {"url": _hash(url), "file": number, "at": at, "size": size} for url, at, size in _in_tar(path)
                ]
            parts.append(pa.Table.from_pylist(entries, schema=ENTRY))
        table = pa.concat_tables(parts)
        if not len(table):
            value = f"{len(self._files)} shards"
            raise PipelineError("no images to import", folder, value, "give img2dataset's folder")
        part = self._index.with_name(f".{self._index.name}.{os.getpid()}.part")
        with open(part, "wb", opener=open_plain) as stream:
            pq.write_table(table, stream, compression="zstd")
        move_atomic(part, self._index)

    def images(self, urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The images of those of ``urls`` that exist here, shard by shard; oversized ones are left out."""
        wanted = {_hash(url): url for url in urls}
        is_wanted = pc.field("url").isin(pa.array(list(wanted), pa.binary()))
        for entry in pq.read_table(self._index, filters=is_wanted).to_pylist():
            url, path = wanted.pop(entry["url"], None), self._files[entry["file"]]
            if url is not None and 0 < entry["size"] <= self._max_bytes:
                with readable(UNREADABLE, path, ADVICE), open(path, "rb") as stream:
                    data = os.pread(stream.fileno(), entry["size"], entry["at"])
                yield url, data


def _hash(url: str) -> bytes:
    return sha256(url.encode(errors="surrogatepass")).digest()[:16]


def _in_tar(path: Path) -> Iterator[tuple[str, int, int]]:
    """Url, offset and size of every image of a WebDataset shard; nothing is unpacked."""
    images: dict[str, tuple[int, int]] = {}
    urls: dict[str, str] = {}
    for member in tars.members(path, packed=False):
        key, _, kind = member.name.rpartition(".")
        if kind.lower() in IMAGES:
            images[key] = member.offset, member.size
        elif kind == "json" and member.size <= MAX_JSON:
            sample = json.loads(member.read())
            url = sample.get("url") if isinstance(sample, dict) else None
            if isinstance(url, str):
                urls[key] = url
    yield from ((urls[key], *place) for key, place in images.items() if key in urls)
