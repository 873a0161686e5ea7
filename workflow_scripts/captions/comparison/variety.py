"""Variety of captions that does not depend on how many there are or how long they are.

The share of different n-grams falls with their number, so each is measured in blocks of images, over equally many
n-grams of each. The images are drawn at random and the blocks are disjoint, hence independent: Student's t applies to
their values, and, as all arms have the same blocks, to the differences between arms.
"""

import numpy as np

from workflow_scripts.captions.diagnostics.words import words_of
from workflow_scripts.stats.seeds import derive

WORD_BLOCKS, WORD_IMAGES, GRAMS = 100, 500, 1000
"""At most so many blocks, images in each, and n-grams read of each."""
VECTOR_BLOCKS, VECTOR_IMAGES = 8, 250
SIMILAR = 0.95
"""Captions whose vectors have at least this cosine are near duplicates."""


def blocks(count: int, most: int, size: int, seed: int) -> list[np.ndarray]:
    """Up to ``most`` disjoint random sets of ``size`` of ``count`` rows; none from fewer than ``size`` rows."""
    number = min(most, count // size)
    rng = np.random.default_rng(derive(seed, "blocks", size))
    return list(rng.choice(count, size=(number, size), replace=False)) if number else []


def word_variety(captions: list[str], grams: int) -> dict[str, float | None]:
    """Of a block's captions, in their order: distinct_2, distinct_3 and word_entropy.

    distinct-n is the share of different ones among the first ``grams`` n-grams (Li et al. 2016, NAACL, "A
    Diversity-Promoting Objective Function"), which do not cross captions; word_entropy the entropy of the first
    ``grams`` words, in bits. None if the captions have fewer.
    """
    found = {size: _grams(captions, size, grams) for size in (1, 2, 3)}
    distinct = {f"distinct_{size}": len(set(found[size])) / grams if found[size] else None for size in (2, 3)}
    _, counts = np.unique(np.array([gram for (gram,) in found[1]]), return_counts=True)
    shares = counts / grams
    return {**distinct, "word_entropy": float(-(shares * np.log2(shares)).sum()) if len(counts) else None}


def _grams(captions: list[str], size: int, most: int) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for caption in captions:
        words = words_of(caption)
        found += zip(*(words[at:] for at in range(size)), strict=False)
        if len(found) >= most:
            return found[:most]
    return []


def vendi(vectors: np.ndarray) -> float:
    """Effective number of different vectors: the exponential of the entropy of the eigenvalues of their cosines / n.

    Source: Friedman and Dieng 2023, TMLR, "The Vendi Score", definition 3.1.

    Args:
        vectors: (n, d) unit rows.
    """
    vectors = vectors.astype(np.float64)
    small = vectors @ vectors.T if len(vectors) <= vectors.shape[1] else vectors.T @ vectors
    values = np.linalg.eigvalsh(small / len(vectors))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def near_vectors(vectors: np.ndarray) -> np.ndarray:
    """(n,) bool: which of (n, d) unit rows have a cosine of at least :data:`SIMILAR` with another one."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return np.asarray((cosines >= SIMILAR).any(axis=1))
