"""Encoded images to RGB pixels: simplejpeg where its pixels are Pillow's, Pillow for everything else."""

import io
import struct
import zlib

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
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return (height, width) if colours in ALIKE and height * width <= MOST_PIXELS else None


def decode(data: bytes, buffer: np.ndarray | None = None) -> np.ndarray:
    """(h, w, 3) uint8: the image that Pillow's ``convert("RGB")`` gives, byte for byte; EXIF orientation is ignored.

    Both use libjpeg-turbo, but simplejpeg takes about half the time. It refuses damage that libjpeg only warns of, so
    Pillow decides what becomes of such a file.

    Args:
        buffer: (n,) uint8; a JPEG that fits in is decoded into it, so the result lasts until its next use.

    Raises:
        UNDECODABLE: whatever Pillow raises.
    """
    size = jpeg_size(data)
    if size is not None:
        needed = 3 * size[0] * size[1]
        try:
            given = buffer if buffer is not None and len(buffer) >= needed else None
            pixels: np.ndarray = simplejpeg.decode_jpeg(data, buffer=given)
        except ValueError:
            pass
        else:
            return pixels
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))
