"""Bytes of the files of a made-up study: pictures, tables and JSON."""

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

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


def parquet(rows: list[dict[str, Any]]) -> bytes:
    return parquet_table(pa.Table.from_pylist(rows))


def parquet_table(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for at in range(6):
        left = 40 + at * width // 7
        pen.rectangle((left, height - 30 - at * height // 10, left + width // 10, height - 30), fill=(0, 114, 178))
    image.save(out, "PNG")
    return out.getvalue()


def js(value: Any) -> bytes:
    return json.dumps(value).encode()
