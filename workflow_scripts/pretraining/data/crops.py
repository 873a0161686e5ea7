"""Random crops of images, resized straight into the memory of a batch, and the random numbers of all augmentations.

Their randomness depends only on seed, step, view and place in the batch: each view of each pair has its own row of
uniform numbers. Cropping is done image by image on uint8, colour on whole batches, on whatever device they are. Each
operation is that of ``torchvision.transforms.v2.functional``.
"""

import math

import numpy as np
import torch

from workflow_scripts.models.preprocessing import channels_first, fit
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.stats.seeds import derive

TRIES = 10
POSITION, FLIP, JITTER, GREY, BLUR = 2 * TRIES, 2 * TRIES + 2, 2 * TRIES + 3, 2 * TRIES + 12, 2 * TRIES + 13
PARTNER = 2 * TRIES + 15  # of the first view
BLOCKS = 9  # of four numbers, as Philox makes them
DRAWS = 4 * BLOCKS
RATIO = (3 / 4, 4 / 3)
# What torch's ``interpolate`` calls for antialiased bilinear resizing, with a tensor for the result.
_RESIZE = torch.ops.aten._upsample_bilinear2d_aa.out


def draws(seed: int, step: int, view: int, first: int, number: int) -> np.ndarray:
    """(number, DRAWS) float64 in [0, 1): the randomness of one view at places ``first``... of the batch of a step.

    From a counter-based generator (Philox; Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3") with the
    seed as its key, so any part of any step can be drawn by itself.
    """
    counter = [first * BLOCKS, 0, view, step]
    return np.random.Generator(np.random.Philox(key=derive(seed, "augment"), counter=counter)).random((number, DRAWS))


def crop_boxes(uniform: np.ndarray, height: np.ndarray, width: np.ndarray, area: tuple[float, float]) -> np.ndarray:
    """Random resized crops as torchvision draws them: area uniform, log of the ratio uniform, ten tries.

    Args:
        uniform: (n, DRAWS) in [0, 1).
        height, width: (n,) int, of the images.
        area: range of the share of the area.

    Returns:
        (n, 4) int64: top, left, height, width. Where no try fits: the largest centre crop of an allowed ratio.
    """
    tries = uniform[:, : 2 * TRIES].reshape(-1, TRIES, 2)
    pixels = (height * width)[:, None] * (area[0] + (area[1] - area[0]) * tries[..., 0])
    ratio = np.exp(math.log(RATIO[0]) + (math.log(RATIO[1]) - math.log(RATIO[0])) * tries[..., 1])
    wide, high = np.rint(np.sqrt(pixels * ratio)), np.rint(np.sqrt(pixels / ratio))
    fits = (wide > 0) & (wide <= width[:, None]) & (high > 0) & (high <= height[:, None])
    first = fits.argmax(1)
    each = np.arange(len(first))
    wide, high = wide[each, first], high[each, first]
    top = np.floor(uniform[:, POSITION] * (height - high + 1))
    left = np.floor(uniform[:, POSITION + 1] * (width - wide + 1))
    none = ~fits.any(1)
    wide_none = np.minimum(width, np.rint(height * RATIO[1]))
    high_none = np.minimum(height, np.rint(width / RATIO[0]))
    wide, high = np.where(none, wide_none, wide), np.where(none, high_none, high)
    top = np.where(none, (height - high) // 2, top)
    left = np.where(none, (width - wide) // 2, left)
    return np.stack([top, left, high, wide], 1).astype(np.int64)


class Crops:
    """How views of some images are cut; see :meth:`write`.

    Args:
        augmentations: (n,) of each view.
        uniform: (n, DRAWS) of each view.
        height, width: (n,) int, of each view's image.
        size: side of a view.
    """

    def __init__(
        self,
        augmentations: list[Augmentation],
        uniform: np.ndarray,
        height: np.ndarray,
        width: np.ndarray,
        size: int,
    ) -> None:
        self._size = size
        self._boxes: list[list[int] | None] = [None] * len(augmentations)
        for area in {augmentation.area for augmentation in augmentations if augmentation.area is not None}:
            these = [i for i, augmentation in enumerate(augmentations) if augmentation.area == area]
            boxes = crop_boxes(uniform[these], height[these], width[these], area).tolist()
            for i, box in zip(these, boxes, strict=True):
                self._boxes[i] = box
        coloured = np.array([augmentation.colour for augmentation in augmentations], bool)
        self._flipped = (coloured & (uniform[:, FLIP] < 0.5)).tolist()
        self._resized = torch.empty((1, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)

    def write(self, view: int, image: np.ndarray, out: torch.Tensor) -> None:
        """Write a view of an image.

        Args:
            view: its number, from 0.
            image: (h, w, 3) uint8.
            out: (1, 3, size, size) uint8, channels last.
        """
        box = self._boxes[view]
        if box is None:
            out.copy_(fit(channels_first(image), self._size))
            return
        top, left, high, wide = box
        part = channels_first(image[top : top + high, left : left + wide])[None]
        if not self._flipped[view]:
            _RESIZE(part, (self._size, self._size), False, None, None, out=out)
        else:
            _RESIZE(part, (self._size, self._size), False, None, None, out=self._resized)
            out.copy_(self._resized.flip(-1))
