"""Fewer dimensions of unit vectors, for the question of how much the size of the caption embedding matters."""

from collections.abc import Iterator

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.chunks import unit_rows

BLOCK = 65_536


def truncated(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """The first coordinates of (n, d) float32 unit rows, scaled to length 1 again; rows of zeros stay zero.

    Raises:
        PipelineError: the vectors have fewer dimensions.
    """
    _check_width(vectors, dimensions)
    found = np.empty((len(vectors), dimensions), dtype=np.float32)
    for part in _blocks(len(vectors)):
        found[part] = unit_rows(vectors[part, :dimensions])
    return found


def principal(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Projections of (n, d) float32 unit rows on the principal components of all rows, scaled to length 1.

    The mean is subtracted. Rows of zeros (empty captions) are not fitted and stay zero. Each component has the sign
    that makes its largest coordinate positive.

    Raises:
        PipelineError: the vectors have fewer dimensions, or there are too few to define the components.
    """
    _check_width(vectors, dimensions)
    some = np.concatenate([vectors[part].any(axis=1) for part in _blocks(len(vectors))] or [np.zeros(0, dtype=bool)])
    count = int(some.sum())
    if 0 < count <= dimensions:
        advice = "use reduction truncate, or fewer dimensions"
        raise PipelineError("too few captions for PCA", "dimensions", f"{dimensions} of {count} captions", advice)
    found = np.zeros((len(vectors), dimensions), dtype=np.float32)
    if not count:
        return found
    mean = sum(vectors[part].sum(axis=0, dtype=np.float64) for part in _blocks(len(vectors))) / count
    spread = np.zeros((vectors.shape[1], vectors.shape[1]))
    for part in _blocks(len(vectors)):
        centred = vectors[part][some[part]] - mean
        spread += centred.T @ centred
    axes = np.linalg.eigh(spread)[1][:, : -dimensions - 1 : -1]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimensions)])
    for part in _blocks(len(vectors)):
        found[part] = unit_rows(((vectors[part] - mean) @ axes) * some[part][:, None])
    return found


REDUCTIONS = {"truncate": truncated, "pca": principal}


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def _check_width(vectors: np.ndarray, dimensions: int) -> None:
    width = vectors.shape[1]
    if dimensions > width:
        value, advice = f"{dimensions}; the encoder has {width}", "use fewer, or null for all"
        raise PipelineError("too many dimensions", "dimensions", value, advice)
