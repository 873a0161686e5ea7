"""Vectors of captions as ``embed_captions`` leaves them."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def embedded(results: Path, arm: str, keys: list[str], rows: np.ndarray) -> Artifact:
    """Vectors of an arm's captions."""
    buffer = io.BytesIO()
    np.save(buffer, rows.astype(np.float32))
    files = {".npy": buffer.getvalue(), ".keys.parquet": parquet(pa.table({"key": keys}))}
    return Artifact(make_artifact(results, "embed_captions", arm, files))
