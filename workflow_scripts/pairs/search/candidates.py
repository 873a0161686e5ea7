"""Candidates for nearest neighbours: the largest inner products in float32, by FAISS or, on a GPU, by PyTorch.

They have rounding errors and an arbitrary order of ties; ``neighbours`` resolves both.
"""

from collections.abc import Callable
from functools import cache

import faiss
import numpy as np

DATABASE_ROWS = 1_048_576
QUERY_ROWS = 65_536
ON_GPU = 2_048  # queries at a time there: their products with a block of the database take 8.6 GB
ROUNDING = 1e-5
"""Bound on the error of a float32 inner product, relative to the product of the norms."""
Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


class Database:
    """Vectors in which several searches are made; on a GPU, where they fit, they are copied to it once.

    Blocks of both sides are loaded in turn, so beside the result memory holds a block of each.

    Args:
        vectors: (n, d) float32, an array or a memory map.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, vectors: np.ndarray, device: str) -> None:
        self._vectors, self._device = vectors, device
        self._block = cache(self._loaded) if device != "cpu" and _fits(vectors) else self._loaded

    def candidates(self, queries: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``width`` largest inner products of every query.

        Args:
            queries: (m, d) float32, an array or a memory map.
            width: neighbours per query; at most n.

        Returns:
            (m, width) float32 products, largest first, and (m, width) int64 rows of the vectors.
        """
        scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), width), -1, dtype=np.int64)
        for base in range(0, len(self._vectors), DATABASE_ROWS):
            size, search = self._block(base)
            for start in range(0, len(queries), QUERY_ROWS):
                part = slice(start, start + QUERY_ROWS)
                asked = np.ascontiguousarray(queries[part], dtype=np.float32)
                found, where = search(asked, min(width, size))
                scores[part], rows[part] = _merge(scores[part], rows[part], found, where + base)
        return scores, rows

    def _loaded(self, base: int) -> tuple[int, Search]:
        block = np.ascontiguousarray(self._vectors[base : base + DATABASE_ROWS], dtype=np.float32)
        return len(block), _by_faiss(block) if self._device == "cpu" else _by_torch(block, self._device)


def _fits(vectors: np.ndarray) -> bool:
    """Whether the GPU has room for all vectors beside what a search takes."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    return 4 * vectors.size + 2 * 4 * ON_GPU * DATABASE_ROWS <= free


def _merge(
    scores: np.ndarray, rows: np.ndarray, more_scores: np.ndarray, more_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best of two lists per query, as many as the first one has."""
    joined = np.concatenate([scores, more_scores], axis=1)
    order = np.argsort(-joined, axis=1, kind="stable")[:, : scores.shape[1]]
    both = np.concatenate([rows, more_rows], axis=1)
    return np.take_along_axis(joined, order, axis=1), np.take_along_axis(both, order, axis=1)


def _by_faiss(database: np.ndarray) -> Search:
    return lambda queries, k: faiss.knn(queries, database, k, metric=faiss.METRIC_INNER_PRODUCT)


def _by_torch(database: np.ndarray, device: str) -> Search:
    """Search in a block of the database that is copied to the device once."""
    import torch

    from workflow_scripts.pairs.search.precision import known_precision

    copy = torch.from_numpy(database).to(device)

    @known_precision()
    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for start in range(0, len(queries), ON_GPU):
            asked = torch.from_numpy(queries[start : start + ON_GPU]).to(device)
            found.append([part.cpu().numpy() for part in torch.topk(asked @ copy.T, k, dim=1)])
        scores, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return scores, rows

    return search
