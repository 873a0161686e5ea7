"""Scores of pairs, each computed by itself, so that they depend on nothing but its two vectors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

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

    starts = range(0, len(rows), BLOCK)
    if workers == 1 or len(starts) < 2:
        for start in starts:
            compute(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(compute, starts))
    return scores
