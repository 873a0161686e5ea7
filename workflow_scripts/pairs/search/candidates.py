"""Candidates for nearest neighbours: the largest inner products in float32, by FAISS.

They have rounding errors and an arbitrary order of ties; ``neighbours`` resolves both.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from workflow_scripts.core.runtime.progress import progress

T = TypeVar("T")
AT_ONCE = {"cpu": 4_096, "cuda": 262_144}
"""Queries of one search. On a CPU, one thread searches them, so that results do not depend on the number of threads."""
MOST_ON_GPU = 2_048
"""Neighbours that FAISS can find on a GPU."""
GPU_BYTES = 2**32
"""Memory on a GPU for vectors, and for queries; FAISS divides what is larger."""
ROUNDING = 1e-5
"""Bound on the error of a float32 inner product, relative to the product of the norms; TF32 has larger errors."""


def usable(device: str) -> str:
    """``cuda`` if that is the device and FAISS is built for GPUs, else ``cpu``."""
    return "cuda" if device == "cuda" and hasattr(faiss, "StandardGpuResources") else "cpu"


def largest(queries: np.ndarray, vectors: np.ndarray, width: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """The ``width`` largest inner products of every query, by an exact search.

    Args:
        queries: (m, d) float32.
        vectors: (n, d) float32, an array or a memory map.
        width: at most n.
        device: one that is :func:`usable`.

    Returns:
        (m, width) float32 products, largest first, and (m, width) int64 rows of the vectors.
    """
    if device == "cpu" or width > MOST_ON_GPU:
        return faiss.knn(queries, vectors, width, metric=faiss.METRIC_INNER_PRODUCT)
    return faiss.knn_gpu(
        _gpu(),
        queries,
        vectors,
        width,
        metric=faiss.METRIC_INNER_PRODUCT,
        use_cuvs=False,
        vectorsMemoryLimit=GPU_BYTES,
        queriesMemoryLimit=GPU_BYTES,
    )


@cache
def _gpu() -> Any:
    return faiss.StandardGpuResources()


def by_block(rows: np.ndarray, device: str, workers: int, search: Callable[[np.ndarray], T]) -> Iterator[T]:
    """What ``search`` returns for blocks of rows (m,), in order; ``workers`` threads search on a CPU, one on a GPU."""
    size = AT_ONCE[device]
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    threads = workers if device == "cpu" else 1
    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool,
    ):
        results = pool.map(search, blocks)
        yield from progress(results, len(blocks), "blocks searched") if len(blocks) > 1 else results


def all_largest(
    queries: np.ndarray, vectors: np.ndarray, width: int, device: str, workers: int
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`largest`, for many queries, an array or a memory map."""
    shape, device = (len(queries), width), usable(device)
    scores, rows = np.empty(shape, np.float32), np.empty(shape, np.int64)

    def search(block: np.ndarray) -> None:
        scores[block], rows[block] = largest(np.ascontiguousarray(queries[block]), vectors, width, device)

    for _ in by_block(np.arange(len(queries)), device, workers, search):
        pass
    return scores, rows
