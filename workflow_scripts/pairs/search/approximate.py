"""Candidates for nearest neighbours from compressed vectors: faster than exact products, and not sure to be complete.

Vectors are projected on the directions of the largest products, turned at random so that no coordinate matters more
than others, and compressed to 4 bits for each four coordinates (product quantization; Jégou et al. 2011, IEEE TPAMI
33:117), which are compared in registers (André et al. 2021, IEEE TPAMI 43:1666; as in FAISS). The best are compared
again by their full vectors. Whatever may depend on the number of threads, such as BLAS, runs in one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

TRAINED_ON = 16_384  # vectors
LEAST, SHARE = 192, 2  # coordinates that are kept: one in SHARE, but no fewer than LEAST
GROUP = 4  # coordinates that are compressed together, to 16 centres
QUERIES = 0x44  # FAISS compares four queries and then four more with each block of codes; changes no result
COMPARED = 30  # candidates by compressed vectors that are compared by full ones, for each that is wanted
BLOCK = 16_384  # vectors at a time


class Compressed:
    """An index of vectors, the same for any number of threads.

    Args:
        vectors: (n, d) float32, an array or a memory map.
        seed: of the draw of vectors that the compression is fitted to, and of the turn.
    """

    def __init__(self, vectors: np.ndarray, seed: int) -> None:
        self._vectors = vectors
        random = np.random.Generator(np.random.PCG64(seed))
        some = np.sort(random.choice(len(vectors), min(len(vectors), TRAINED_ON), replace=False))
        with _one_thread():
            self._projection = _projection(vectors[some], random)
            width = self._projection.shape[1]
            self._index = faiss.index_factory(width, f"PQ{width // GROUP}x4fs", faiss.METRIC_INNER_PRODUCT)
            self._index.qbs = QUERIES
            self._index.train(vectors[some] @ self._projection)
            for start in range(0, len(vectors), BLOCK):
                self._index.add(vectors[start : start + BLOCK] @ self._projection)

    def candidates(self, rows: range, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows with some of the largest inner products with each of ``rows``, a block of these at a time.

        Args:
            rows: begins at a multiple of BLOCK, so that the blocks do not depend on it.
            width: candidates per row.

        Yields:
            (b,) int64, some of ``rows``, and (b, width) int64 rows; a row itself may be among its candidates, and
            fills places without one.
        """
        most = min(len(self._vectors), width * COMPARED)
        for start in range(rows.start, rows.stop, BLOCK):
            asked = np.arange(start, min(start + BLOCK, rows.stop))
            queries = np.ascontiguousarray(self._vectors[asked])
            with threadpool_limits(1, "blas"):
                projected = queries @ self._projection
            _, found = self._index.search(projected, most)
            order = np.argsort(-self._products(queries, found), axis=1, kind="stable")[:, :width]
            found = np.take_along_axis(found, order, axis=1)
            yield asked, np.where(found < 0, asked[:, None], found)

    def _products(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(b, w) float32 inner products of full vectors; -inf where there is no other."""
        products = np.empty(others.shape, np.float32)
        database = np.ascontiguousarray(self._vectors)
        arrays = (faiss.swig_ptr(one) for one in (products, queries, database, others))
        faiss.fvec_inner_products_by_idx(*arrays, queries.shape[1], *others.shape)
        products[others < 0] = -np.inf
        return products


def _projection(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(d, width) float32: the projection on the main directions, without centring, which would change products."""
    own = vectors.shape[1]
    width = min(own, max(LEAST, own // SHARE))
    wide = vectors.astype(np.float64)
    axes = np.linalg.eigh(wide.T @ wide)[1][:, : -width - 1 : -1]
    turn = np.linalg.qr(random.normal(size=(width, width)))[0]
    padding = -width % GROUP  # coordinates of zero change no product
    return np.ascontiguousarray(np.pad(axes @ turn, ((0, 0), (0, padding))), np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        faiss.omp_set_num_threads(threads)
