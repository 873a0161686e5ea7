"""Encoded images to RGB pixels: simplejpeg where its pixels are Pillow's, Pillow for everything else."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import simplejpeg
from PIL import Image

UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
"""Pillow's decoders check headers only partly; damage elsewhere raises any of these."""
MOST_PIXELS = 89_478_485
"""Largest number of pixels that is decoded; as RGBA they take 360 MB."""
# Of CMYK and YCCK files, Pillow makes other RGB values than libjpeg-turbo.
ALIKE = frozenset({"YCbCr", "Gray"})


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of a JPEG that simplejpeg can read as Pillow does; None for any other file."""
    if data.startswith(b"\xff\xd8\xff"):
        with suppress(ValueError):
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
            return (height, width) if colours in ALIKE and height * width <= MOST_PIXELS else None
    return None


def decode(data: bytes) -> np.ndarray:
    """(h, w, 3) uint8: the image that Pillow's ``convert("RGB")`` gives, byte for byte; EXIF orientation is ignored.

    Both use libjpeg-turbo, but simplejpeg takes about half the time. It refuses damage that libjpeg only warns of, so
    Pillow decides what becomes of such a file.

    Raises:
        UNDECODABLE: whatever Pillow raises.
    """
    if jpeg_size(data) is not None:
        with suppress(ValueError):
            pixels: np.ndarray = simplejpeg.decode_jpeg(data)
            return pixels
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))
