"""Small images and tars for the tests of evaluation."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """An encoded image of (h, w) or (h, w, 3) uint8 pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def picture(seed: int, size: tuple[int, int] = (12, 10)) -> bytes:
    """A PNG of noise around a colour of its own."""
    rng = np.random.default_rng(seed)
    return encoded(np.clip(rng.integers(0, 200, 3) + rng.integers(0, 55, (*size, 3)), 0, 255).astype(np.uint8))


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    """A tar with these members in this order."""
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path
