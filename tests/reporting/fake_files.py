"""Bytes of the files of a made-up study: pictures and JSON."""

import json
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tests.file_bytes import encoded

SIZE = 64


def picture(number: int) -> Image.Image:
    """A coloured shape on a coloured ground."""
    draw = np.random.default_rng(number)
    image = Image.new("RGB", (SIZE, SIZE), tuple(int(v) for v in draw.integers(90, 230, 3)))
    pen = ImageDraw.Draw(image)
    x, y, r = (int(v) for v in (*draw.integers(18, 46, 2), draw.integers(9, 18)))
    ink = tuple(int(v) for v in draw.integers(0, 255, 3))
    (pen.ellipse if number % 2 else pen.rectangle)((x - r, y - r, x + r, y + r), fill=ink)
    return image


def png(width: int, height: int) -> bytes:
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for at in range(6):
        left = 40 + at * width // 7
        pen.rectangle((left, height - 30 - at * height // 10, left + width // 10, height - 30), fill=(0, 114, 178))
    return encoded(image)


def js(value: Any) -> bytes:
    return json.dumps(value).encode()
