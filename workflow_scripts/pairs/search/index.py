"""Candidates by an index that FAISS's factory makes: faster than an exact search, but perhaps incomplete.

See https://github.com/facebookresearch/faiss/wiki/The-index-factory. An index is trained and filled by one thread,
and a block of queries is searched by one thread, so that what it finds does not depend on the number of threads.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from workflow_scripts.core.errors import PipelineError

FLAT = "Flat"  # FAISS's name of the exact search
TRAINED_ON = 262_144  # vectors
COMPARED = 30  # candidates that are scored exactly, for each neighbour that is searched for
ADDED = 16_384  # vectors at a time
WIDTHS = (768, 1024, 840)  # of which one is a multiple of the number of sub-vectors in any usual factory string
HELP = "https://github.com/facebookresearch/faiss/wiki/The-index-factory"


@dataclass(frozen=True)
class Index:
    """An index of vectors.

    Attributes:
        factory: FAISS's description of it; ``Flat`` stands for no index.
        parameters: of the search, as FAISS's ParameterSpace reads them; empty for FAISS's defaults.
        seed: of the draw of vectors that it is trained on.
    """

    factory: str = FLAT
    parameters: str = ""
    seed: int = 0

    def empty(self, width: int) -> faiss.Index:
        """An index of vectors with ``width`` dimensions.

        Raises:
            PipelineError: FAISS knows no such index, or not for this width.
        """
        try:
            index = faiss.index_factory(width, self.factory, faiss.METRIC_INNER_PRODUCT)
            if self.parameters:
                faiss.ParameterSpace().set_index_parameters(index, self.parameters)
        except RuntimeError as error:
            value = f"{self.factory} {self.parameters}".strip()
            raise PipelineError("index that FAISS can't make", "pairs", value, _reason(error)) from error
        return index

    def of(self, vectors: np.ndarray) -> faiss.Index:
        """The index of (n, d) float32 vectors, an array or a memory map.

        Raises:
            PipelineError: as for ``empty``, or there are too few vectors to train it.
        """
        index, random = self.empty(vectors.shape[1]), np.random.Generator(np.random.PCG64(self.seed))
        sample = np.sort(random.choice(len(vectors), min(len(vectors), TRAINED_ON), replace=False))
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            with threadpool_limits(1, "blas"):
                index.train(vectors[sample])
                for start in range(0, len(vectors), ADDED):
                    index.add(np.ascontiguousarray(vectors[start : start + ADDED]))
        except RuntimeError as error:
            value = f"{self.factory}, of {len(vectors)} vectors"
            raise PipelineError("index that FAISS can't train", "pairs", value, _reason(error)) from error
        finally:
            faiss.omp_set_num_threads(threads)
        return index


NO_INDEX = Index()
"""An exact search."""


def check_index(index: Index) -> None:
    """Check an index for vectors of unknown width, as far as possible.

    Raises:
        PipelineError: see :meth:`Index.empty`.
    """
    errors = []
    for width in WIDTHS:
        try:
            index.empty(width)
        except PipelineError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def _reason(error: RuntimeError) -> str:
    """FAISS's own words, without the location in its source code."""
    return f"choose another ({HELP}); FAISS says: {str(error).rpartition(': ')[2].strip()}"
