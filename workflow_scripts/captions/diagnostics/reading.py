"""Reads captions batch by batch, since those of millions of images need gigabytes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 65_536  # captions at a time


def captions_of(path: Path, rows: np.ndarray) -> list[str]:
    """The captions of ascending ``rows`` of a parquet file."""
    found: list[str] = []
    start = 0
    for (texts,) in batches(path, "caption"):
        inside = rows[(rows >= start) & (rows < start + len(texts))] - start
        found += texts.take(pa.array(inside)).to_pylist()
        start += len(texts)
    return found


def batches(path: Path, *columns: str) -> Iterator[list[pa.Array]]:
    """Batches of the columns; a table without rows has an empty one."""
    with pq.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield [pa.array([], pa.string()) for _ in columns]
        for batch in file.iter_batches(BATCH, columns=list(columns)):
            yield [batch.column(name) for name in columns]
