"""Index of the images in img2dataset's shards by URL; built once, and rebuilt when a shard's stamp changes.

It is kept in ``results/.fetched/.imports`` as one sorted array and holds hashes of URLs, not URLs.
"""

import hashlib
import json
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.core.files.durable import move_atomic
from workflow_scripts.core.files.foreign import batches, column_of, readable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.inputs import stamp_of

# 16 bytes of the url's sha256; number of the file; for a tar the image's offset and size, for parquet row and -1.
ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("file", "<u4"), ("at", "<i8"), ("size", "<i8")])
IMAGES = ("jpg", "jpeg", "png", "webp")
MAX_JSON = 1 << 20  # bytes of a sample's description
IMAGES_AT_ONCE = 64  # of a parquet shard
UNREADABLE, ADVICE = "unreadable shard to import", "fetch that shard again with img2dataset, or move it away"
log = logging.getLogger(__name__)


def _hash(url: str) -> tuple[int, int]:
    whole = hashlib.sha256(url.encode(errors="surrogatepass")).digest()
    return int.from_bytes(whole[:8]), int.from_bytes(whole[8:16])


class ImportIndex:
    """The images of the img2dataset shards below ``folder``.

    Raises:
        PipelineError: no shard with images there, or a damaged one.
    """

    def __init__(self, folder: Path, results: Path, max_bytes: int) -> None:
        self._files = sorted(path for kind in ("*.tar", "*.parquet") for path in folder.glob(kind) if path.is_file())
        self._max_bytes = max_bytes
        stamps = [[path.name, *stamp_of(path.stat())] for path in self._files]
        name = digest({"folder": str(folder.resolve()), "files": stamps})[:32]
        path = results / FETCHED / ".imports" / f"{name}.npy"
        if not path.exists():
            with key_lock(path):
                if not path.exists():
                    self._make(folder, path)
        self._entries = np.load(path, mmap_mode="r", allow_pickle=False)

    def _make(self, folder: Path, path: Path) -> None:
        log.info("indexing %d files of %s", len(self._files), folder)
        parts = [
            np.array([(*_hash(url), number, at, size) for url, at, size in self._urls(number)], dtype=ENTRY)
            for number in range(len(self._files))
        ]
        entries = np.concatenate(parts) if parts else np.empty(0, ENTRY)
        if not len(entries):
            raise PipelineError(
                "no images to import", folder, f"{len(self._files)} shards", "give img2dataset's folder"
            )
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        with open(part, "wb", opener=open_plain) as stream:
            np.save(stream, entries[np.lexsort((entries["low"], entries["high"]))], allow_pickle=False)
        move_atomic(part, path)

    def _urls(self, number: int) -> Iterator[tuple[str, int, int]]:
        path = self._files[number]
        with readable(UNREADABLE, path, ADVICE):
            yield from _in_tar(path) if path.suffix == ".tar" else _in_parquet(path)

    def images(self, urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The images of those of ``urls`` that exist here, shard by shard; oversized ones are left out."""
        found = sorted((entry for url in urls for entry in self._entries_of(url)), key=lambda entry: entry[1:])
        for number, entries in groupby(found, lambda entry: entry[1]):
            path, places = self._files[number], [(url, at, size) for url, _, at, size in entries]
            with readable(UNREADABLE, path, ADVICE):
                read = (
                    _from_tar(path, places, self._max_bytes) if path.suffix == ".tar" else _from_parquet(path, places)
                )
                yield from ((url, data) for url, data in read if 0 < len(data) <= self._max_bytes)

    def _entries_of(self, url: str) -> list[tuple[str, int, int, int]]:
        """A list with the first entry of a URL; empty if there is none."""
        high, low = _hash(url)
        high_column = self._entries["high"]
        first, last = (int(np.searchsorted(high_column, np.uint64(high), side)) for side in ("left", "right"))
        for entry in self._entries[first:last]:
            if int(entry["low"]) == low:
                return [(url, int(entry["file"]), int(entry["at"]), int(entry["size"]))]
        return []


def _from_tar(path: Path, places: list[tuple[str, int, int]], most: int) -> Iterator[tuple[str, bytes]]:
    with open(path, "rb") as stream:
        for url, at, size in places:
            yield url, os.pread(stream.fileno(), min(size, most + 1), at)


def _from_parquet(path: Path, places: list[tuple[str, int, int]]) -> Iterator[tuple[str, bytes]]:
    """The images in the rows of ``places``, ascending."""
    with pq.ParquetFile(path) as file:
        column = column_of(file.schema_arrow, IMAGES)
    first, waiting = 0, deque(places)
    for batch in batches(path, {column: pa.binary()}, rows=IMAGES_AT_ONCE):
        while waiting and waiting[0][1] < first + len(batch):
            url, row, _ = waiting.popleft()
            yield url, batch.column(0)[row - first].as_py() or b""
        if not waiting:
            return
        first += len(batch)
    if waiting:
        raise ValueError(f"it has {first} rows, but had more when they were indexed")


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


def _in_parquet(path: Path) -> Iterator[tuple[str, int, int]]:
    """Url and row of every image of a parquet shard; a table without image bytes (beside a tar) has none."""
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if not column_of(file.schema_arrow, IMAGES) or "url" not in names:
            return
        wanted = [name for name in ("url", "status") if name in names]
    row = 0
    for batch in batches(path, {name: pa.string() for name in wanted}):
        for one in batch.to_pylist():
            if one["url"] and one.get("status", "success") == "success":
                yield one["url"], row, -1
            row += 1
