"""What Pillow raises on images that are damaged or malicious."""

import struct
import zlib

from PIL import Image

UNDECODABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError),
    *(ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError),
)
"""Its decoders check headers only partly; other damage raises any of these."""
MOST_PIXELS = 89_478_485
"""Pixels of the largest image that is decoded; as RGBA it takes 360 MB."""
