"""Scores of pairs, each computed by itself, so that they depend on nothing but its two vectors."""

import numpy as np

from workflow_scripts.core.threads import in_threads

BLOCK = 4096


def exact(vectors: np.ndarray, rows: np.ndarray, others: np.ndarray, workers: int = 1) -> np.ndarray:
    """(m, w) float32 inner products of rows (m,) with rows ``others`` (m, w), summed in double precision.

    Args:
        workers: threads, which NumPy lets run at the same time.
    """
    scores = np.empty(others.shape, dtype=np.float32)

    def compute(start: int) -> None:
        part = slice(start, start + BLOCK)
        here = vectors[rows[part]].astype(np.float64)
        for column in range(others.shape[1]):
            scores[part, column] = np.einsum("nd,nd->n", here, vectors[others[part, column]].astype(np.float64))

    in_threads(compute, range(0, len(rows), BLOCK), workers)
    return scores
