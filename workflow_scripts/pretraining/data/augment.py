"""Named augmentations, whose randomness depends only on seed, step, view and place in the batch.

Each view of each pair has its own row of uniform numbers; cropping is done image by image on uint8
(:mod:`~workflow_scripts.pretraining.data.crops`), colour on whole batches, on whatever device they are. Each operation
is that of ``torchvision.transforms.v2.functional``.
"""

import numpy as np

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
