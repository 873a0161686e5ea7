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
        objects: (k, s, s) uint8, mapped into memory, maps of several objects: 0 background, 255 ignored, others the
            number of an object.
        with_objects: (k,) int64, the rows that have one, ascending.
    """

    pixels: np.ndarray
    masks: np.ndarray
    masked: np.ndarray
    objects: np.ndarray = np.empty((0, 0, 0), np.uint8)
    with_objects: np.ndarray = np.empty(0, np.int64)

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

    def object_map(self, row: int) -> np.ndarray:
        """The map of objects of a row that has one: (s, s) uint8."""
        return np.array(self.objects[np.searchsorted(self.with_objects, row)])


def load_packed(images: Artifact) -> PackedImages:
    """The images of an ``eval_images`` artifact."""
    pixels, masks, objects = (
        np.load(images.path(suffix), mmap_mode="r") for suffix in (".npy", ".masks.npy", ".objects.npy")
    )
    masked, with_objects = (np.load(images.path(suffix)) for suffix in (".masked.npy", ".with_objects.npy"))
    return PackedImages(pixels, masks, masked, objects, with_objects)
