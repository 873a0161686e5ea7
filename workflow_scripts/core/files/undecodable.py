"""Exceptions that Pillow raises on damaged or malicious images."""

import struct
import zlib

from PIL import Image

UNDECODABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError),
    *(ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError),
)
"""Pillow's decoders check headers only partly; damage elsewhere raises any of these."""
MOST_PIXELS = 89_478_485
"""Largest number of pixels that is decoded; as RGBA they take 360 MB."""
