"""Rows in pools: those with one caption, in one scope, or with one label."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np


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
