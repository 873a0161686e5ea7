"""Small images and tars for the tests of evaluation."""

import numpy as np

from tests.file_bytes import encoded
from workflow_scripts.evaluation.datasets.picture_sets import PictureSet


def picture(seed: int, size: tuple[int, int] = (12, 10)) -> bytes:
    """A PNG of noise around a colour of its own."""
    rng = np.random.default_rng(seed)
    return encoded(np.clip(rng.integers(0, 200, 3) + rng.integers(0, 55, (*size, 3)), 0, 255).astype(np.uint8))


def found(source: PictureSet) -> list[tuple[str, str, bytes]]:
    """Split, class and bytes of each picture of a set."""
    entries = source.listing().entries
    pictures = {one.name: one.image for one in source.read(frozenset(one.name for one in entries))}
    return [(one.split, one.class_name, pictures[one.name]) for one in entries]
