"""Named augmentations, whose randomness depends only on seed, step, view and place in the batch.

Each view of each pair has its own row of uniform numbers; cropping is done image by image on uint8
(:mod:`~workflow_scripts.pretraining.data.crops`), colour on whole batches, on whatever device they are. Each operation
is that of ``torchvision.transforms.v2.functional``.
"""

import numpy as np
import torch

from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.colour import blur, grey, jitter
from workflow_scripts.stats.seeds import derive

TRIES = 10
POSITION, FLIP, JITTER, GREY, BLUR = 2 * TRIES, 2 * TRIES + 2, 2 * TRIES + 3, 2 * TRIES + 12, 2 * TRIES + 13
PARTNER = 2 * TRIES + 15  # of the first view
BLOCKS = 9  # of four numbers, as Philox makes them
DRAWS = 4 * BLOCKS


def draws(seed: int, step: int, view: int, first: int, number: int) -> np.ndarray:
    """(number, DRAWS) float64 in [0, 1): the randomness of one view at places ``first``... of the batch of a step.

    From a counter-based generator (Philox; Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3") with the
    seed as its key, so any part of any step can be drawn by itself.
    """
    counter = [first * BLOCKS, 0, view, step]
    return np.random.Generator(np.random.Philox(key=derive(seed, "augment"), counter=counter)).random((number, DRAWS))


def recolour(images: torch.Tensor, uniform: np.ndarray, augmentation: Augmentation) -> torch.Tensor:
    """(n, 3, s, s) uint8 -> float32 in 0..255 with the augmentation's colour changes, on the images' device."""
    if not augmentation.colour:
        return images.float()
    # The channels are changed one by one, which is slow where they alternate in memory.
    values = images.to(torch.float32, memory_format=torch.contiguous_format)
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
