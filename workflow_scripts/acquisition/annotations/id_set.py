"""A compact set of image ids, for tens of millions of them."""

from collections.abc import Sequence

import numpy as np

SHORT = 8  # bytes: Reddit's ids have 4 to 7 characters and fit an unsigned 64-bit number exactly


class IdSet:
    """The ids seen so far; short ones take 8 bytes each. Ids are ASCII without NUL.

    Short ids are stored as numbers in sorted runs. A run is merged with the next one unless it is longer, so there are
    few runs, and each number is moved only a few times.
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []  # each sorted, the longest first
        self._long: set[str] = set()

    def first_seen(self, ids: Sequence[str]) -> np.ndarray:
        """(len(ids),) bool: True where an id occurs for the first time, in this call and all before it."""
        fresh = np.zeros(len(ids), dtype=bool)
        rows = np.array([row for row, one in enumerate(ids) if len(one) <= SHORT], dtype=np.int64)
        codes = np.array([int.from_bytes(ids[row].encode("ascii")) for row in rows], dtype=np.uint64)
        unique, first = np.unique(codes, return_index=True)
        known = self._known(unique)
        fresh[rows[first[~known]]] = True
        self._add(unique[~known])
        for row, one in enumerate(ids):
            if len(one) > SHORT and one not in self._long:
                self._long.add(one)
                fresh[row] = True
        return fresh

    def _known(self, codes: np.ndarray) -> np.ndarray:
        known = np.zeros(len(codes), dtype=bool)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, codes), len(run) - 1)
            known |= run[place] == codes
        return known

    def _add(self, codes: np.ndarray) -> None:
        if not len(codes):
            return
        while self._runs and len(self._runs[-1]) <= len(codes):
            codes = np.sort(np.concatenate([self._runs.pop(), codes]), kind="stable")
        self._runs.append(codes)
