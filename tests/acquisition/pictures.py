"""Small encoded images for the tests of acquisition."""

import io
from typing import Any

import numpy as np
from PIL import Image


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth random RGB image, so that JPEG and resizing behave as on photos."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """``image`` as a file of ``format``."""
    target = io.BytesIO()
    image.save(target, format, **options)
    return target.getvalue()


def jpeg(width: int = 80, height: int = 60, seed: int = 0, **options: Any) -> bytes:
    """A JPEG file of :func:`photo`."""
    return encoded(photo(width, height, seed), "JPEG", quality=88, **options)
