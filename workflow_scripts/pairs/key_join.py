"""Joins tables by key to the row numbers that diagnostics of pairs use."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError

ADVICE = "the inputs belong to different image indexes; rerun the workflow from the embeddings"


@dataclass(frozen=True)
class PairRows:
    """m pairs among ``count`` images, by row: source, target (m,) int64, cosine (m,) float32."""

    source: np.ndarray
    target: np.ndarray
    cosine: np.ndarray
    count: int

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def sources(self) -> np.ndarray:
        """(s,) int64: the rows that have pairs, ascending."""
        return np.flatnonzero(np.bincount(self.source, minlength=self.count))


def pair_rows(table: pa.Table, keys: pa.ChunkedArray) -> PairRows:
    """``source``, ``target`` (keys) of a pair table as rows of ``keys``.

    Raises:
        PipelineError: a pair names an image that is not in ``keys``.
    """
    source, target = (_places(table[name], keys, "pairs") for name in ("source", "target"))
    return PairRows(source, target, table["cosine"].to_numpy(), len(keys))


@dataclass(frozen=True)
class ImageVectors:
    """Unit vectors of n images: (v, d) float32, which may be a file, and the (n,) int64 row of each image in it."""

    vectors: np.ndarray
    row: np.ndarray


def image_vectors(vectors: np.ndarray, named: pa.ChunkedArray, keys: pa.Table) -> ImageVectors:
    """Where the vectors of the images ``keys`` are in ``vectors``, whose rows are named by ``named``.

    Raises:
        PipelineError: an image has no vector.
    """
    return ImageVectors(vectors, _places(keys["key"], named, "image vectors"))


def codes(values: pa.ChunkedArray) -> np.ndarray:
    """(n,) int64, equal for equal values."""
    return pc.dictionary_encode(values.combine_chunks()).indices.to_numpy().astype(np.int64)


def label_codes(keys: pa.ChunkedArray, named: pa.ChunkedArray, labels: pa.ChunkedArray) -> np.ndarray:
    """(n,) int64 codes of the labels (or captions) of ``keys``; -1 for images that ``named`` lacks."""
    rows = pc.index_in(keys, value_set=named)
    encoded = pc.dictionary_encode(labels.combine_chunks()).indices.take(rows.combine_chunks())
    return pc.fill_null(encoded, -1).to_numpy().astype(np.int64)


def _places(wanted: pa.ChunkedArray, keys: pa.ChunkedArray, where: str) -> np.ndarray:
    found = pc.index_in(wanted, value_set=keys)
    if found.null_count:
        key = wanted.filter(pc.is_null(found))[0].as_py()
        raise PipelineError("unknown image", where, f"{key} and {found.null_count - 1} more", ADVICE)
    return found.to_numpy().astype(np.int64)
