"""Vectors of captions, read from their file as they are needed: those of 12 million captions take 37 GB."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.pretraining.data.pairing import rows_of


@dataclass(frozen=True)
class CaptionVectors:
    """Vectors of captions.

    Attributes:
        path: .npy of float32 (n, d) unit rows, or zero for an empty caption.
        rows: (m,) int64, the row of each of ``Pairing.sources``.
    """

    path: Path
    rows: np.ndarray

    @cached_property
    def _file(self) -> np.ndarray:
        found: np.ndarray = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return found

    @property
    def width(self) -> int:
        """d."""
        return int(self._file.shape[1])

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        """(b, d) float32 of (b,) positions in ``Pairing.sources``."""
        return np.asarray(self._file[self.rows[positions]])


def read_vectors(vectors: Artifact, keys: pa.ChunkedArray, sources: np.ndarray) -> CaptionVectors:
    """Vectors of the captions of ``sources`` (m,), rows of ``keys``, from an artifact of ``embed_captions``.

    Raises:
        PipelineError: a source has none.
    """
    where = vectors.path(".keys.parquet")
    rows = rows_of(pq.read_table(where, columns=["key"])["key"], keys.take(pa.array(sources)), where)
    return CaptionVectors(vectors.path(".npy"), rows)
