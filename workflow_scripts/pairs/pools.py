"""Rows in pools: those with one caption, in one scope, with one label, or with equal vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

BLOCK = 65_536


@dataclass(frozen=True)
class Pools:
    """Rows by pool.

    Attributes:
        members: (n,) int64, rows by pool, ascending within each.
        start: (pools + 1,) int64, where each pool begins in ``members``.
    """

    members: np.ndarray
    start: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        """The rows of each pool."""
        for start, stop in pairwise(self.start.tolist()):
            yield self.members[start:stop]

    @cached_property
    def size(self) -> np.ndarray:
        """(pools,) int64, the number of rows of each pool."""
        return np.diff(self.start)

    @property
    def first(self) -> np.ndarray:
        """(pools,) int64, the first row of every pool."""
        return self.members[self.start[:-1]]


def pools_of(codes: np.ndarray) -> Pools:
    """Rows by their (n,) int64 codes, in ascending order of codes; rows with a negative code are in no pool."""
    rows = np.flatnonzero(codes >= 0)
    _, size = np.unique(codes[rows], return_counts=True)
    members = rows[np.argsort(codes[rows], kind="stable")]
    return Pools(members, np.append(0, np.cumsum(size)).astype(np.int64))


@dataclass(frozen=True)
class Groups(Pools):
    """n rows in pools of equal vectors, in order of first appearance.

    Attributes:
        group: (n,) int64, the pool of a row.
    """

    group: np.ndarray


def group_equal(vectors: np.ndarray) -> Groups:
    """Group the rows of (n, d) float32 ``vectors``."""
    keys = _keys(vectors)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        if not np.array_equal(vectors[rows], vectors[first[group[rows]]]):
            # Two vectors share a 64-bit key: compare whole rows instead, which is slow but exact.
            _, first, group = np.unique(np.asarray(vectors), axis=0, return_index=True, return_inverse=True)
            break
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[group.reshape(-1)]
    pools = pools_of(group)
    return Groups(pools.members, pools.start, group)


def _keys(vectors: np.ndarray) -> np.ndarray:
    """(n,) uint64, equal for equal rows: a random linear form of each row's bits."""
    weights = np.random.default_rng(0).integers(0, 2**63, vectors.shape[1], dtype=np.uint64) * 2 + 1
    keys = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), BLOCK):
        # Adding 0 makes -0 and 0, which are equal, the same bits.
        block = np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float32) + np.float32(0)
        keys[start : start + BLOCK] = (block.view(np.uint32).astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    return keys
