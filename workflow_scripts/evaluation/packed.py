"""The images and masks of a downstream dataset as networks see them."""

from typing import NamedTuple

import numpy as np
import torch

from workflow_scripts.core.artifact import Artifact


class PackedImages(NamedTuple):
    """Images and masks by row of the dataset's table, all of s pixels a side.

    Attributes:
        pixels: (n, s, s, 3) uint8, mapped into memory: rows are read when they are used.
        masks: (m, s, s) uint8, mapped into memory: 0 background, 1 object, 255 ignored.
        masked: (m,) int64, the rows that have a mask, ascending.
    """

    pixels: np.ndarray
    masks: np.ndarray
    masked: np.ndarray

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.pixels.shape[1])

    def batch(self, rows: np.ndarray | slice) -> torch.Tensor:
        """The images of some rows: (b, 3, s, s) uint8."""
        return torch.from_numpy(np.array(self.pixels[rows])).permute(0, 3, 1, 2).contiguous()

    def mask(self, row: int) -> np.ndarray:
        """The mask of a row that has one: (s, s) uint8."""
        return np.array(self.masks[np.searchsorted(self.masked, row)])


def load_packed(images: Artifact) -> PackedImages:
    """The images of an ``eval_images`` artifact."""
    pixels, masks = (np.load(images.path(suffix), mmap_mode="r") for suffix in (".npy", ".masks.npy"))
    return PackedImages(pixels, masks, np.load(images.path(".masked.npy")))
