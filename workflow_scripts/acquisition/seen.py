"""Which image ids were there before, for tens of millions of them."""

from collections.abc import Sequence

import numpy as np

SHORT = 8  # bytes: Reddit's ids have 4 to 7 characters and fit an unsigned 64-bit number exactly


class SeenIds:
    """The ids seen so far: 8 bytes each as long as they are short; ids are ASCII without NUL."""

    def __init__(self) -> None:
        self._codes = np.zeros(0, dtype=np.uint64)
        self._long: set[str] = set()

    def first_seen(self, ids: Sequence[str]) -> np.ndarray:
        """(len(ids),) bool: True where an id occurs for the first time, in this call and all before it."""
        fresh = np.zeros(len(ids), dtype=bool)
        rows = np.array([row for row, one in enumerate(ids) if len(one) <= SHORT], dtype=np.int64)
        codes = np.array([int.from_bytes(ids[row].encode("ascii")) for row in rows], dtype=np.uint64)
        unique, first = np.unique(codes, return_index=True)
        place = np.searchsorted(self._codes, unique)
        known = np.zeros(len(unique), dtype=bool)
        inside = place < len(self._codes)
        known[inside] = self._codes[place[inside]] == unique[inside]
        fresh[rows[first[~known]]] = True
        self._codes = np.insert(self._codes, place[~known], unique[~known])
        for row, one in enumerate(ids):
            if len(one) > SHORT and one not in self._long:
                self._long.add(one)
                fresh[row] = True
        return fresh
