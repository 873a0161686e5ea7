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
    images = {picture.name: picture.image for picture in source.read(frozenset(entry.name for entry in entries))}
    return [(entry.split, entry.class_name, images[entry.name]) for entry in entries]
