"""Where the images of img2dataset's shards lie, by url; made once, and again when the shards change.

It is kept in ``results/.fetched/.imports`` as one sorted array and holds hashes of urls, no urls.
"""

import hashlib
import json
import logging
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.acquisition.store import FOLDER
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.durable import move_atomic
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import digest

# 16 bytes of the url's sha256; number of the file; for a tar the image's offset and size, for parquet row and -1.
ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("file", "<u4"), ("at", "<i8"), ("size", "<i8")])
IMAGES = ("jpg", "jpeg", "png", "webp")
MAX_JSON = 1 << 20  # bytes of a sample's description
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
        self._files = sorted(path for kind in ("*.tar", "*.parquet") for path in folder.glob(kind))
        self._max_bytes = max_bytes
        self._group, self._column = (-1, -1), pa.chunked_array([], pa.binary())
        stamps = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in self._files]
        name = digest({"folder": str(folder.resolve()), "files": stamps})[:32]
        path = results / FOLDER / ".imports" / f"{name}.npy"
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
        with open(part, "wb") as stream:
            np.save(stream, entries[np.lexsort((entries["low"], entries["high"]))], allow_pickle=False)
        move_atomic(part, path)

    def _urls(self, number: int) -> Iterator[tuple[str, int, int]]:
        path = self._files[number]
        try:
            yield from _in_tar(path) if path.suffix == ".tar" else _in_parquet(path)
        except (tarfile.TarError, OSError, ValueError) as error:
            advice = "fetch that shard again with img2dataset, or move it away"
            raise PipelineError("unreadable shard to import", path, error, advice) from None

    def images(self, urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The images of those of ``urls`` that are here, shard by shard; larger ones than allowed are left out."""
        found = sorted((entry for url in urls for entry in self._entries_of(url)), key=lambda one: one[1:])
        for url, number, at, size in found:
            data = self._from_tar(number, at, size) if size >= 0 else self._from_parquet(number, at)
            if 0 < len(data) <= self._max_bytes:
                yield url, data

    def _entries_of(self, url: str) -> list[tuple[str, int, int, int]]:
        """The url's entry, in a list that is empty when there is none; of several the first."""
        high, low = _hash(url)
        high_column = self._entries["high"]
        first, last = (int(np.searchsorted(high_column, np.uint64(high), side)) for side in ("left", "right"))
        for entry in self._entries[first:last]:
            if int(entry["low"]) == low:
                return [(url, int(entry["file"]), int(entry["at"]), int(entry["size"]))]
        return []

    def _from_tar(self, number: int, at: int, size: int) -> bytes:
        with open(self._files[number], "rb") as stream:
            return os.pread(stream.fileno(), min(size, self._max_bytes + 1), at)

    def _from_parquet(self, number: int, row: int) -> bytes:
        file = pq.ParquetFile(self._files[number])
        group = 0
        while row >= (rows := file.metadata.row_group(group).num_rows):
            row, group = row - rows, group + 1
        if self._group != (number, group):  # images come in the order of rows, so that a group is read once
            column = _image_column(file)
            self._group, self._column = (number, group), file.read_row_group(group, columns=[column])[column]
        return self._column[row].as_py() or b""


def _in_tar(path: Path) -> Iterator[tuple[str, int, int]]:
    """Url, offset and size of every image of a WebDataset shard; nothing is unpacked."""
    images: dict[str, tuple[int, int]] = {}
    urls: dict[str, str] = {}
    with open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            key, _, kind = member.name.rpartition(".")
            if not member.isfile():
                continue
            if kind.lower() in IMAGES:
                images[key] = member.offset_data, member.size
            elif kind == "json" and member.size <= MAX_JSON:
                sample = json.loads(os.pread(stream.fileno(), member.size, member.offset_data))
                url = sample.get("url") if isinstance(sample, dict) else None
                if isinstance(url, str):
                    urls[key] = url
    yield from ((urls[key], *place) for key, place in images.items() if key in urls)


def _in_parquet(path: Path) -> Iterator[tuple[str, int, int]]:
    """Url and row of every image of a parquet shard; a table without image bytes (beside a tar) has none."""
    file = pq.ParquetFile(path)
    column = _image_column(file)
    if column == "" or "url" not in file.schema_arrow.names:
        return
    row = 0
    for batch in file.iter_batches(batch_size=1000, columns=["url", "status"] if _has_status(file) else ["url"]):
        for one in batch.to_pylist():
            if one["url"] and one.get("status", "success") == "success":
                yield one["url"], row, -1
            row += 1


def _image_column(file: pq.ParquetFile) -> str:
    return next((name for name in IMAGES if name in file.schema_arrow.names), "")


def _has_status(file: pq.ParquetFile) -> bool:
    return "status" in file.schema_arrow.names
