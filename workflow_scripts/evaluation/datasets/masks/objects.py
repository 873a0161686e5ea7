"""Images with several labelled objects: maps of object numbers, and masks of a class.

A map of objects is (h, w) uint8: 0 background, 1 to 254 the number of an object, 255 ignore. ``classes[i - 1]`` is the
class of object i.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.images.decoding import UNDECODABLE
from workflow_scripts.evaluation.datasets.picture_sets import Picture

IGNORE = 255
MOST_OBJECTS = IGNORE - 1


def class_mask(ids: np.ndarray, classes: Sequence[object], wanted: object) -> np.ndarray:
    """Map of objects -> (h, w) uint8 mask of all objects of one class: 0 background, 1 object, 255 ignore."""
    values = np.zeros(IGNORE + 1, np.uint8)
    values[1 : len(classes) + 1] = [one == wanted for one in classes]
    values[IGNORE] = IGNORE
    return values[ids]


def object_picture(name: str, image: bytes, ids: np.ndarray, classes: Sequence[str], label: str) -> Picture:
    """A picture with the mask of its label and, if it has several objects, the map of them."""
    several = len(classes) > 1
    mask = png(class_mask(ids, classes, label))
    return Picture(name, image, mask, png(ids) if several else None, tuple(classes) if several else ())


def png(pixels: np.ndarray) -> bytes:
    """(h, w) uint8 as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def read_numbers(path: Path) -> np.ndarray:
    """The (h, w) uint8 numbers in a PNG with a palette or of grey values.

    Raises:
        PipelineError: the file is missing, damaged, or an image of another kind.
    """
    try:
        image = Image.open(path)
        if image.mode not in ("P", "L"):
            raise ValueError(f"mode {image.mode}, not numbers of 8 bits")
        return np.asarray(image)
    except UNDECODABLE as error:
        raise PipelineError("corrupt segmentation", path, error, "fetch the dataset again") from None


def read_bytes(path: Path) -> bytes:
    """Bytes of a file of a dataset.

    Raises:
        PipelineError: it is missing or unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PipelineError("unreadable file", path, error.strerror, "check the dataset's folder") from None
