"""Random crops of images, and the random numbers of all augmentations.

Their randomness depends only on seed, step, view and place in the batch: each view of each pair has its own row of
uniform numbers. Cropping is done image by image on uint8, colour on whole batches, on whatever device they are. Each
operation is that of ``torchvision.transforms.v2.functional``, which takes longer for images this small.
"""

import math

import numpy as np
import torch
from torch.nn.functional import interpolate

from workflow_scripts.models.preprocessing import channels_first, fit
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.stats.seeds import derive

TRIES = 10
POSITION, FLIP, JITTER, GREY, BLUR = 2 * TRIES, 2 * TRIES + 2, 2 * TRIES + 3, 2 * TRIES + 12, 2 * TRIES + 13
PARTNER = 2 * TRIES + 15  # of the first view
BLOCKS = 9  # of four numbers, as Philox makes them
DRAWS = 4 * BLOCKS
RATIO = (3 / 4, 4 / 3)


def draws(seed: int, step: int, view: int, first: int, number: int) -> np.ndarray:
    """(number, DRAWS) float64 in [0, 1): the randomness of one view at places ``first``... of the batch of a step.

    From a counter-based generator (Philox; Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3") with the
    seed as its key, so any part of any step can be drawn by itself.
    """
    counter = [first * BLOCKS, 0, view, step]
    return np.random.Generator(np.random.Philox(key=derive(seed, "augment"), counter=counter)).random((number, DRAWS))


def crop_box(uniform: np.ndarray, height: int, width: int, area: tuple[float, float]) -> tuple[int, int, int, int]:
    """A random resized crop as torchvision draws it: area uniform, log of the ratio uniform, ten tries.

    Args:
        uniform: (DRAWS,) in [0, 1).
        height, width: of the image.
        area: range of the share of the area.

    Returns:
        Top, left, height, width. Where no try fits: the largest centre crop of an allowed ratio.
    """
    low, high = map(math.log, RATIO)
    for size, shape in uniform[: 2 * TRIES].reshape(TRIES, 2).tolist():
        pixels, ratio = height * width * (area[0] + (area[1] - area[0]) * size), math.exp(low + (high - low) * shape)
        wide, tall = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            spare = height - tall + 1, width - wide + 1
            return int(uniform[POSITION] * spare[0]), int(uniform[POSITION + 1] * spare[1]), tall, wide
    wide, tall = min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def cropped(image: np.ndarray, augmentation: Augmentation, uniform: np.ndarray, size: int) -> torch.Tensor:
    """A view of an image (h, w, 3) uint8, without changes of colour: (3, size, size) uint8.

    Args:
        uniform: (DRAWS,), the randomness of the view.
    """
    if augmentation.area is None:
        return fit(channels_first(image), size)
    top, left, high, wide = crop_box(uniform, image.shape[0], image.shape[1], augmentation.area)
    part = channels_first(image[top : top + high, left : left + wide])[None]
    view = interpolate(part, (size, size), mode="bilinear", align_corners=False, antialias=True)[0]
    return view.flip(-1) if augmentation.colour and uniform[FLIP] < 0.5 else view
