"""Groups bit-identical rows, so that repeated captions need one search and tie exactly."""

from dataclasses import dataclass

import numpy as np

BLOCK = 65_536


@dataclass(frozen=True)
class Groups:
    """n rows in groups of equal vectors, groups in order of first appearance.

    Attributes:
        group: (n,) int64, the group of a row.
        members: (n,) int64, rows by group, ascending within each.
        start: (groups + 1,) int64, where each group begins in ``members``.
    """

    group: np.ndarray
    members: np.ndarray
    start: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """(groups,) int64, the first row of every group."""
        return self.members[self.start[:-1]]


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
    start_of = np.append(0, np.cumsum(np.bincount(group, minlength=len(first)))).astype(np.int64)
    return Groups(group, np.argsort(group, kind="stable"), start_of)


def _keys(vectors: np.ndarray) -> np.ndarray:
    """(n,) uint64, equal for equal rows: a random linear form of each row's bits."""
    weights = np.random.default_rng(0).integers(0, 2**63, vectors.shape[1], dtype=np.uint64) * 2 + 1
    keys = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), BLOCK):
        # Adding 0 makes -0 and 0, which are equal, the same bits.
        block = np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float32) + np.float32(0)
        keys[start : start + BLOCK] = (block.view(np.uint32).astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    return keys
