"""Named augmentations, whose randomness depends only on seed, step, row and view.

Each view of each row has its own row of uniform numbers; cropping is done image by image on uint8, colour on whole
batches, on whatever device they are. Each operation is that of ``torchvision.transforms.v2.functional``.
"""

import math

import numpy as np
import torch
from torch.nn.functional import interpolate

from workflow_scripts.models.preprocessing import fit
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.colour import blur, grey, jitter
from workflow_scripts.stats.seeds import derive

TRIES = 10
RATIO = (3 / 4, 4 / 3)
POSITION, FLIP, JITTER, GREY, BLUR = 2 * TRIES, 2 * TRIES + 2, 2 * TRIES + 3, 2 * TRIES + 12, 2 * TRIES + 13
DRAWS = 2 * TRIES + 15


def draws(seed: int, step: int, rows: np.ndarray, view: int) -> np.ndarray:
    """(n,) row numbers -> (n, DRAWS) float64 in [0, 1): the randomness of one view of each row at one step."""
    made = np.empty((len(rows), DRAWS))
    for i, row in enumerate(rows.tolist()):
        made[i] = np.random.Generator(np.random.PCG64(derive(seed, "augment", step, row, view))).random(DRAWS)
    return made


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


def cut(images: list[torch.Tensor], uniform: np.ndarray, augmentation: Augmentation, size: int) -> torch.Tensor:
    """Images (3, h, w) uint8 of any size -> (n, 3, size, size) uint8: cropped, resized, and optionally flipped."""
    out = torch.empty((len(images), 3, size, size), dtype=torch.uint8)
    if augmentation.area is None:
        for i, image in enumerate(images):
            out[i] = fit(image, size)
        return out
    height, width = (
        np.array([image.shape[1] for image in images]),
        np.array([image.shape[2] for image in images]),
    )
    boxes = crop_boxes(uniform, height, width, augmentation.area).tolist()
    for i, (image, (top, left, high, wide)) in enumerate(zip(images, boxes, strict=True)):
        part = image[None, :, top : top + high, left : left + wide]
        out[i] = interpolate(part, (size, size), mode="bilinear", align_corners=False, antialias=True)[0]
    if augmentation.colour:
        flipped = torch.from_numpy(uniform[:, FLIP] < 0.5)
        out[flipped] = out[flipped].flip(-1)
    return out


def recolour(images: torch.Tensor, uniform: np.ndarray, augmentation: Augmentation) -> torch.Tensor:
    """(n, 3, s, s) uint8 -> float32 in 0..255 with the augmentation's colour changes, on the images' device."""
    values = images.float()
    if not augmentation.colour:
        return values
    values /= 255
    device = images.device

    def rows(mask: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.flatnonzero(mask)).to(device)

    def numbers(column: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(column.astype(np.float32)).to(device)

    strength = np.array([0.4, 0.4, 0.4, 0.1])
    factors = (2 * uniform[:, JITTER + 5 : JITTER + 9] - 1) * strength + [1, 1, 1, 0]
    order = uniform[:, JITTER + 1 : JITTER + 5].argsort(1)
    for place in range(4):
        for operation in range(4):
            mask = (uniform[:, JITTER] < 0.8) & (order[:, place] == operation)
            chosen = rows(mask)
            if len(chosen):
                values[chosen] = jitter(values[chosen], operation, numbers(factors[mask, operation]))
    greyed = rows(uniform[:, GREY] < 0.2)
    values[greyed] = grey(values[greyed]).expand(-1, 3, -1, -1)
    mask = uniform[:, BLUR] < 0.5
    if mask.any():
        blurred = rows(mask)
        sigma = numbers(0.1 + 1.9 * uniform[mask, BLUR + 1])
        values[blurred] = blur(values[blurred], sigma, augmentation.blur_kernel)
    return values * 255
