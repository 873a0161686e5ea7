"""Packs the images and masks of a downstream dataset as networks see them, each decoded once."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import mapped
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import channels_first, fit


def pack_images(images: TarImages, view: View, path: Path, workers: int) -> None:
    """Write all images, in row order, as a .npy of (n, size, size, 3) uint8.

    Raises:
        PipelineError: an image is damaged.
    """

    def load(row: int) -> np.ndarray:
        return fit(channels_first(images.pixels(row)), view.size, view.resize, view.side).permute(1, 2, 0).numpy()

    loaded = fed(mapped(load, range(len(images)), workers), lambda _: 1)
    _write(path, (len(images), view.size, view.size, 3), progress(loaded, len(images), "images"))


def pack_masks(masks: TarImages, keys: Sequence[str], view: View, path: Path, masked: Path, where: str) -> None:
    """Write the masks under the same resize and crop as their images, nearest neighbour, and which rows have one.

    Args:
        masks: size -1 for rows without one.
        keys: of all rows, for errors.
        path: .npy of (m, size, size) uint8.
        masked: .npy of (m,) int64, ascending.
        where: the dataset, for errors.

    Raises:
        PipelineError: a mask is damaged, or has other values than 0, 1 and 255.
    """
    rows = np.flatnonzero(masks.size >= 0).astype(np.int64)

    def load(row: int) -> np.ndarray:
        pixels = np.asarray(Image.open(io.BytesIO(masks.bytes(row))))
        strange = sorted(set(np.unique(pixels).tolist()) - {0, 1, 255}) if pixels.ndim == 2 else pixels.shape
        if strange:
            advice = "use greyscale masks with 0 (background), 1 (object) and 255 (ignore)"
            raise PipelineError("invalid object mask", where, f"{keys[row]}: {strange}", advice)
        values = torch.from_numpy(pixels.astype(np.uint8))[None]
        return np.asarray(fit(values, view.size, "nearest-exact", view.side)[0].numpy())

    _write(path, (len(rows), view.size, view.size), map(load, rows.tolist()))
    np.save(masked, rows)


def _write(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """A .npy of uint8, written part by part."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for part in parts:
            file.write(np.ascontiguousarray(part).tobytes())
