"""Candidates for nearest neighbours: the largest inner products as FAISS finds them in float32.

They have rounding errors and an arbitrary order of ties; ``neighbours`` resolves both.
"""

import logging
from collections.abc import Callable

import faiss
import numpy as np

Search = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]

log = logging.getLogger(__name__)
DATABASE_ROWS = 1_048_576
QUERY_ROWS = 65_536


def candidates(queries: np.ndarray, database: np.ndarray, width: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """The ``width`` largest inner products of every query.

    Blocks of both sides are loaded in turn, so memory stays at one block of each beside the result.

    Args:
        queries: (m, d) float32, an array or a memory map.
        database: (n, d) float32, likewise; width <= n.
        width: neighbours per query.
        device: ``cuda`` uses a GPU when this FAISS has one.

    Returns:
        (m, width) float32 products, largest first, and (m, width) int64 rows of ``database``.
    """
    scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), width), -1, dtype=np.int64)
    knn = _knn(device)
    for base in range(0, len(database), DATABASE_ROWS):
        block = np.ascontiguousarray(database[base : base + DATABASE_ROWS], dtype=np.float32)
        for start in range(0, len(queries), QUERY_ROWS):
            part = slice(start, start + QUERY_ROWS)
            asked = np.ascontiguousarray(queries[part], dtype=np.float32)
            found, where = knn(asked, block, min(width, len(block)))
            scores[part], rows[part] = _merge(scores[part], rows[part], found, where + base)
    return scores, rows


def _merge(
    scores: np.ndarray, rows: np.ndarray, more_scores: np.ndarray, more_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best of two lists per query, as many as the first one has."""
    joined = np.concatenate([scores, more_scores], axis=1)
    order = np.argsort(-joined, axis=1, kind="stable")[:, : scores.shape[1]]
    both = np.concatenate([rows, more_rows], axis=1)
    return np.take_along_axis(joined, order, axis=1), np.take_along_axis(both, order, axis=1)


def _knn(device: str) -> Search:
    """(queries, database, k) -> (products, rows)."""
    if device == "cuda" and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus():
        resources = faiss.StandardGpuResources()
        return lambda queries, database, k: faiss.knn_gpu(
            resources, queries, database, k, metric=faiss.METRIC_INNER_PRODUCT
        )
    if device == "cuda":
        log.info("FAISS has no GPU support here: searching neighbours on the CPU")
    return lambda queries, database, k: faiss.knn(queries, database, k, metric=faiss.METRIC_INNER_PRODUCT)
