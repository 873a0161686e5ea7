"""Made-up pictures with structure, and what is done to them before they turn up elsewhere."""

import hashlib
import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from tests.file_bytes import encoded
from tests.helpers import tar_images
from workflow_scripts.core.shards import TarImages


@cache
def picture(seed: int, side: tuple[int, int] = (160, 120)) -> Image.Image:
    """Smoothed noise: all pictures differ, each at all scales."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n, 3), np.uint8)).resize(side, Image.Resampling.BICUBIC), float
        )
        for n in (3, 6, 12, 24)
    ]
    return Image.fromarray(np.clip(np.average(layers, axis=0, weights=[4, 3, 2, 1]), 0, 255).astype(np.uint8))


def resized(image: Image.Image) -> Image.Image:
    return jpeg(image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC), 60)


def mirrored(image: Image.Image) -> Image.Image:
    return jpeg(ImageOps.mirror(image), 85)


def cropped(image: Image.Image, area: float = 0.9) -> Image.Image:
    """A part of ``area`` of the image, away from the middle."""
    width, height = (round(length * area**0.5) for length in image.size)
    return jpeg(image.crop((2, 1, 2 + width, 1 + height)), 85)


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def packed(folder: Path, images: list[Image.Image]) -> TarImages:
    """The images as rows of a file, PNG."""
    files = [encoded(image) for image in images]
    folder.mkdir(exist_ok=True)
    return tar_images(folder / f"{hashlib.sha256(b''.join(files)).hexdigest()[:8]}.tar", files)
