"""Stored images scaled down for training."""

import io
from dataclasses import dataclass

from PIL import Image

from workflow_scripts.core.images.decoding import UNDECODABLE


@dataclass(frozen=True)
class Shrunk:
    """An image for training: its bytes, its size in pixels, and why these are the stored bytes, if they are.

    ``kept`` is ``small`` (the shorter side is not above the wanted one), ``undecodable``, or empty after scaling.
    """

    data: bytes
    width: int
    height: int
    kept: str = ""


def shrink(data: bytes, size: tuple[int, int], side: int, quality: int) -> Shrunk:
    """An image as a JPEG whose shorter side is ``side``, unless it is smaller already.

    It is scaled with Lanczos from all of its pixels. An image that can't be decoded keeps its bytes, so what reads it
    reports it, as without scaling.

    Args:
        data: a stored image, upright and opaque.
        size: its width and height in pixels.
        side: in pixels.
        quality: of the JPEG, 1 to 95.
    """
    if min(size) <= side:
        return Shrunk(data, *size, "small")
    try:
        with Image.open(io.BytesIO(data)) as image:
            plain = image if image.mode in ("RGB", "L") else image.convert("RGB")
            width, height = (max(side, round(side * length / min(plain.size))) for length in plain.size)
            small = plain.resize((width, height), Image.Resampling.LANCZOS)
    except UNDECODABLE:
        return Shrunk(data, *size, "undecodable")
    small.info = {}  # Pillow would write some of it, such as comments
    target = io.BytesIO()
    small.save(target, "JPEG", quality=quality)
    return Shrunk(target.getvalue(), width, height)
