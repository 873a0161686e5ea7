"""Images read straight from tars by offset; nothing is ever unpacked to files."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.errors import PipelineError


class TarImages:
    """Encoded images in tars, by row.

    Args:
        tars: paths of the tars.
        tar: (n,) int, which of ``tars`` a row's image is in.
        offset: (n,) int64, first byte of the image in its tar.
        size: (n,) int64, bytes of the image.

    Reads are positional, so one object serves many threads; file descriptors are opened lazily and per process, so it
    can be sent to workers.
    """

    def __init__(self, tars: Sequence[Path], tar: np.ndarray, offset: np.ndarray, size: np.ndarray) -> None:
        self.tars = list(tars)
        self.tar, self.offset, self.size = tar, offset, size
        self._open: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.offset)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def __del__(self) -> None:
        for (process, _), descriptor in self._open.items():
            if process == os.getpid():
                os.close(descriptor)

    def bytes(self, row: int) -> bytes:
        """The encoded image of ``row``.

        Raises:
            PipelineError: the tar ends before the image does.
        """
        which = int(self.tar[row])
        key = (os.getpid(), which)
        if key not in self._open:
            descriptor = os.open(self.tars[which], os.O_RDONLY)
            if self._open.setdefault(key, descriptor) != descriptor:
                os.close(descriptor)
        size, offset = int(self.size[row]), int(self.offset[row])
        data = os.pread(self._open[key], size, offset)
        if len(data) != size:
            value = f"{len(data)} of {size} bytes at offset {offset} (row {row})"
            raise PipelineError("truncated shard", self.tars[which], value, "delete it and run again")
        return data

    def image(self, row: int) -> Image.Image:
        """The image of ``row`` decoded to RGB.

        Raises:
            PipelineError: the bytes are no image, or a broken one.
        """
        try:
            return Image.open(io.BytesIO(self.bytes(row))).convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            where = self.tars[int(self.tar[row])]
            value = f"row {row}, offset {int(self.offset[row])} ({error})"
            raise PipelineError("corrupt image", where, value, "delete the shard and run again") from None


def index_images(index: Artifact) -> TarImages:
    """The images of an ``image_index`` artifact, in its row order; the tars' sizes are checked.

    Raises:
        PipelineError: a shard is gone or was truncated since it was indexed.
    """
    table = pq.read_table(index.path(".parquet"), columns=["shard", "offset", "size"])
    recorded = json.loads(index.path(".json").read_bytes())["tars"]
    names = sorted(recorded)
    folder = index.manifest_path.parent.parent / "download"
    tars = [Artifact(folder / f"{name}{MANIFEST}").path(".tar") for name in names]
    for name, path in zip(names, tars, strict=True):
        if path.stat().st_size != recorded[name]["bytes"]:
            value = f"{path.stat().st_size} bytes, {recorded[name]['bytes']} were indexed"
            raise PipelineError("truncated shard", path, value, "delete it and run again")
    which = np.searchsorted(np.array([int(name) for name in names]), table["shard"].to_numpy())
    return TarImages(tars, which, table["offset"].to_numpy(), table["size"].to_numpy())


def dataset_images(dataset: Artifact) -> TarImages:
    """The images of an ``eval_dataset`` artifact, in the row order of its table."""
    table = pq.read_table(dataset.path(".parquet"), columns=["offset", "size"])
    which = np.zeros(len(table), dtype=np.int64)
    return TarImages([dataset.path(".tar")], which, table["offset"].to_numpy(), table["size"].to_numpy())
