"""Images read directly from tars and packs by offset, and verified; nothing is ever unpacked to files."""

import hashlib
import json
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from workflow_scripts.core.artifact import MANIFEST, Artifact, command_for, repair_advice
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.patience import SECONDS, patiently
from workflow_scripts.core.images.decoding import UNDECODABLE, decode

HALF = 16  # bytes kept of each image's sha256, since millions are in memory
INDEXED = {"tars": ("download", ".tar"), "packs": ("pack", ".images")}
"""What the ``.json`` of an index calls its files -> the stage that made them, and their suffix."""
Encoded = bytes  # a name of its own: within the class, ``bytes`` is a method


class TarImages:
    """Encoded images in tars or packs, by row; each is verified whenever it is read.

    Args:
        tars: paths of the tars or packs, which are files of artifacts.
        tar: (n,) int, index into ``tars`` of each row's image.
        offset: (n,) int64, first byte of the image in its tar.
        size: (n,) int64, bytes of the image.
        sha256: (n, 16) uint8, first half of the sha256 of the image's bytes: see :func:`hash_column`.
        waits: seconds before each repetition of a read that failed.

    Reads are positional, so one object can serve many threads; file descriptors are opened lazily and per process, so
    it can be pickled and sent to workers. A read that fails as those of file servers do at times is repeated
    (:func:`~workflow_scripts.core.files.patience.patiently`).
    """

    def __init__(
        self,
        tars: Sequence[Path],
        tar: np.ndarray,
        offset: np.ndarray,
        size: np.ndarray,
        sha256: np.ndarray,
        waits: Sequence[float] = SECONDS,
    ) -> None:
        self.tars, self.waits = list(tars), waits
        self.tar, self.offset, self.size, self.sha256 = tar, offset, size, sha256
        self._start()

    def _start(self) -> None:
        self._open: dict[tuple[int, int], int] = {}
        self._given_up: list[tuple[int, int]] = []  # like _open: another thread may still read from them
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.offset)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __del__(self) -> None:
        for process, descriptor in (*((key[0], one) for key, one in self._open.items()), *self._given_up):
            if process == os.getpid():
                os.close(descriptor)

    def bytes(self, row: int) -> Encoded:
        """The encoded image of ``row``.

        Raises:
            PipelineError: the tar ends before the image does, or the image does not have the recorded hash.
            OSError: the tar can't be read.
        """
        which = int(self.tar[row])
        size, offset, recorded = int(self.size[row]), int(self.offset[row]), self.sha256[row].tobytes()
        data = patiently(lambda: self._read(which, size, offset), self.tars[which], self.waits)
        if len(data) != size:
            value = f"{len(data)} of {size} bytes at offset {offset} (row {row})"
            raise PipelineError("truncated shard", self.tars[which], value, self._advice(which))
        if (found := hashlib.sha256(data).digest()[:HALF]) != recorded:
            value = (
                f"row {row}, offset {offset}: sha256 begins with {found.hex()} instead of the recorded {recorded.hex()}"
            )
            raise PipelineError("damaged image", self.tars[which], value, self._advice(which))
        return data

    def _read(self, which: int, size: int, offset: int) -> Encoded:
        key = (os.getpid(), which)
        descriptor = self._open.get(key)
        if descriptor is None:
            opened = os.open(self.tars[which], os.O_RDONLY)
            descriptor = self._open.setdefault(key, opened)
            if descriptor != opened:
                os.close(opened)
        try:
            return os.pread(descriptor, size, offset)
        except OSError:
            with self._lock:
                if self._open.get(key) == descriptor:
                    del self._open[key]
                    self._given_up.append((key[0], descriptor))
            raise

    def _advice(self, which: int) -> str:
        return repair_advice(manifest_of(self.tars[which]))

    def image(self, row: int) -> Image.Image:
        """:meth:`pixels` as a Pillow image."""
        return Image.fromarray(self.pixels(row))

    def pixels(self, row: int) -> np.ndarray:
        """The image of ``row`` decoded to (h, w, 3) uint8 RGB.

        Raises:
            PipelineError: the bytes are not a valid image.
            OSError: the tar can't be read.
        """
        return self.decoded(row, self.bytes(row))

    def decoded(self, row: int, data: Encoded) -> np.ndarray:
        """The same of the bytes that were read of ``row``; see :func:`~workflow_scripts.core.images.decoding.decode`.

        Raises:
            PipelineError: the bytes are not a valid image.
        """
        try:
            return decode(data)
        except UNDECODABLE as error:
            where = self.tars[int(self.tar[row])]
            value = f"row {row}, offset {int(self.offset[row])} ({error})"
            raise PipelineError("corrupt image", where, value, self._advice(int(self.tar[row]))) from None


def manifest_of(file: Path) -> Path:
    """Path of the manifest that names a tar or pack; their suffixes have one dot."""
    return file.with_name(file.stem + MANIFEST)


def hash_column(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """(n, 16) uint8: the first half of each hex sha256, zeros for nulls; 128 bits still can't be forged."""
    texts = pc.fill_null(pc.utf8_slice_codeunits(column, 0, 2 * HALF), "0" * 2 * HALF)
    return np.frombuffer(bytes.fromhex("".join(texts.to_pylist())), np.uint8).reshape(-1, HALF)


def shard_images(shard: Artifact, columns: Sequence[str]) -> tuple[TarImages, pa.Table, int]:
    """The images of a ``download`` artifact in row order, their rows, and how many rows without an image there are.

    Args:
        shard: the artifact.
        columns: of the rows, with offset, bytes and sha256; state is added.
    """
    every = pq.read_table(shard.path(".parquet"), columns=[*columns, "state"])
    rows = every.filter(pc.equal(every["state"], "ok"))
    spans = rows["offset"].to_numpy(), rows["bytes"].to_numpy()
    images = TarImages([shard.location(".tar")], np.zeros(len(rows), np.int64), *spans, hash_column(rows["sha256"]))
    return images, rows, len(every) - len(rows)


def index_images(index: Artifact) -> TarImages:
    """The images of an index of tars or packs, in its row order, from the files that were indexed.

    Raises:
        PipelineError: a shard is missing, or is not the one that was indexed.
    """
    path = index.path(".parquet")
    table = pq.read_table(path, columns=["shard", "offset", "size"])
    with pq.ParquetFile(path) as file:  # in batches: as text the hashes of all images would take a gigabyte
        hashes = [hash_column(part["sha256"]) for part in file.iter_batches(columns=["sha256"])]
    return images_in_shards(index, table, np.concatenate(hashes))


def images_of_keys(index: Artifact, keys: Collection[str]) -> tuple[TarImages, dict[str, int]]:
    """The images of ``keys`` from an ``image_index`` artifact, and the row of each key that it has.

    Only the shards that hold them are opened. Raises as :func:`index_images`.
    """
    columns = ["key", "shard", "offset", "size", "sha256"]
    table = pq.read_table(index.path(".parquet"), columns=columns, filters=[("key", "in", sorted(set(keys)))])
    rows = {key: row for row, key in enumerate(table["key"].to_pylist())}
    return images_in_shards(index, table, hash_column(table["sha256"])), rows


def images_in_shards(index: Artifact, rows: pa.Table, hashes: np.ndarray) -> TarImages:
    """Rows of an index of tars or packs (columns shard, offset, size) as images in their files.

    Args:
        hashes: see :func:`hash_column`.

    Raises:
        PipelineError: a shard is missing, or is not the one that was indexed.
    """
    ((kind, recorded),) = json.loads(index.path(".json").read_bytes()).items()
    stage, suffix = INDEXED[kind]
    numbers, which = np.unique(rows["shard"].to_numpy(), return_inverse=True)
    folder = index.manifest_path.parent.parent / stage
    tars = []
    for name in (f"{number:05d}" for number in numbers):
        shard = Artifact(folder / f"{name}{MANIFEST}")
        tars.append(shard.location(suffix))
        found = shard.manifest["files"][suffix]
        if found != recorded[name]:
            value = f"sha256 is {found['sha256']}, but {recorded[name]['sha256']} was indexed"
            advice = f"run {command_for(index.manifest_path, force=False)}"
            raise PipelineError("shard changed since it was indexed", tars[-1], value, advice)
    return TarImages(tars, which, rows["offset"].to_numpy(), rows["size"].to_numpy(), hashes)


def dataset_images(dataset: Artifact, kind: str = "") -> TarImages:
    """The images of an ``eval_dataset`` artifact in the row order of its table, or of ``kind`` ``mask_`` its masks.

    ``size`` is -1 for rows without one.
    """
    names = [f"{kind}offset", f"{kind}size", f"{kind}sha256"]
    table = pq.read_table(dataset.path(".parquet"), columns=names)
    offset, size = (table[name].fill_null(-1).to_numpy() for name in names[:2])
    which = np.zeros(len(table), dtype=np.int64)
    return TarImages([dataset.location(".tar")], which, offset, size, hash_column(table[names[-1]]))
