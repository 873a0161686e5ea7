"""Bytes of small files, for tests."""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def parquet(table: pa.Table | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> bytes:
    """A parquet file of a table, columns or rows."""
    if not isinstance(table, pa.Table):
        table = pa.table(table) if isinstance(table, Mapping) else pa.Table.from_pylist(list(table))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def npy(rows: np.ndarray) -> bytes:
    """A file of NumPy."""
    buffer = io.BytesIO()
    np.save(buffer, rows)
    return buffer.getvalue()


def encoded(picture: Image.Image | np.ndarray, kind: str = "PNG", **how: Any) -> bytes:
    """An image file of a picture, or of (h, w) or (h, w, 3) uint8 pixels."""
    buffer = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(buffer, kind, **how)
    return buffer.getvalue()
