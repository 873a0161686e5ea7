"""Bytes of small files, and small tars, for tests."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
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


def write_tar(
    path: Path, members: Mapping[str, bytes | str] | Iterable[tuple[str, bytes | str]], mode: str = "w"
) -> Path:
    """A tar with these members in this order; ``mode`` as of :func:`tarfile.open`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path
