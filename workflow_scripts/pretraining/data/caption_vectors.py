"""Vectors of captions, read from their file as they are needed: those of 12 million captions take 37 GB."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.pretraining.data.pairing import Pairing, among, rows_of

BLOCK = 65_536  # rows that are read at a time


@dataclass(frozen=True)
class CaptionVectors:
    """Vectors of captions.

    Attributes:
        path: .npy of float32 (n, d) unit rows, or zero for an empty caption.
        rows: (m,) int64, row of the file of each of m images.
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

    def __getitem__(self, images: np.ndarray) -> np.ndarray:
        """(b, d) float32 of (b,) numbers of images."""
        return np.asarray(self._file[self.rows[images]])

    def of(self, images: np.ndarray) -> "CaptionVectors":
        """Those of some images: (k,) int64 numbers, or (m,) bool."""
        return CaptionVectors(self.path, self.rows[images])

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Slices of the images, in order, and their vectors."""
        for start in range(0, len(self.rows), BLOCK):
            part = slice(start, start + BLOCK)
            yield part, self[np.arange(len(self.rows))[part]]

    def copied(self, path: Path) -> tuple["CaptionVectors", np.ndarray]:
        """A copy at ``path`` that nothing else can change, and which of the images have a caption, (m,) bool."""
        copy = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(self.rows), self.width))
        captioned = np.zeros(len(self.rows), bool)
        for part, vectors in self.blocks():
            copy[part], captioned[part] = vectors, vectors.any(axis=1)
        copy.flush()
        return CaptionVectors(path, np.arange(len(self.rows))), captioned


def read_vectors(vectors: Artifact, keys: pa.ChunkedArray) -> CaptionVectors:
    """Vectors of the captions of the images ``keys``, from an artifact of ``embed_captions``.

    Raises:
        PipelineError: an image has none.
    """
    where = vectors.path(".keys.parquet")
    rows = rows_of(pq.read_table(where, columns=["key"])["key"], keys, where)
    return CaptionVectors(vectors.path(".npy"), rows)


def embedded_pairs(
    pairing: Pairing, keys: pa.ChunkedArray, vectors: Artifact, copy: Path
) -> tuple[Pairing, CaptionVectors]:
    """The pairs whose source has a caption, and the vectors of these captions source by source.

    Args:
        pairing: pairs.
        keys: keys of all images in index order.
        vectors: artifact of ``embed_captions``.
        copy: path of a copy of them.

    Raises:
        PipelineError: an image has no vector.
    """
    copied, captioned = read_vectors(vectors, keys).of(pairing.sources).copied(copy)
    return among(pairing, pairing.sources[captioned])[0], copied.of(captioned)
