"""Lexical diversity of a set of captions."""

import numpy as np

WINDOW = 500  # words


class WordVariety:
    """How much the words of a text vary, in one pass over it, batch by batch.

    The moving average is the type-token ratio averaged over all windows of ``window`` consecutive words, which does not
    fall with the text's length. Source: Covington & McFall 2010, Journal of Quantitative Linguistics 17:94. A word
    counts as a new type in every window that begins after its last occurrence.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.window, self.words, self.types = window, 0, 0
        self._last = np.zeros(0, dtype=np.int64)  # by code: place of its last occurrence, -1 for none
        self._sum = 0  # over words: number of windows that end at or after it and count it as a new type
        self._tail = np.zeros(0, dtype=np.int64)  # of the last words: the first window that counts each as a type

    def add(self, codes: np.ndarray) -> None:
        """Continue the text by (n,) int codes of words, equal for equal words."""
        if not len(codes):
            return
        if (grown := int(codes.max()) + 1) > len(self._last):
            self._last = np.concatenate([self._last, np.full(grown - len(self._last), -1)])
        order = np.argsort(codes, kind="stable")
        same = codes[order][1:] == codes[order][:-1]
        before = self._last[codes]
        before[order[1:][same]] = self.words + order[:-1][same]
        place = self.words + np.arange(len(codes))
        earliest = np.maximum(before + 1, np.maximum(place - self.window + 1, 0))
        self._sum += int((place - earliest + 1).sum())
        self._tail = np.concatenate([self._tail, earliest])[-self.window :]
        self.types += int((before < 0).sum())
        self._last[codes[order]] = place[order]
        self.words += len(codes)

    def ratio(self) -> float | None:
        """Different words / words; falls with the number of words, so compare only sets of equal length."""
        return self.types / self.words if self.words else None

    def moving_average(self) -> float | None:
        """The moving average. Fewer words than ``window`` make one window."""
        if not self.words:
            return None
        window = min(self.window, self.words)
        place = np.arange(self.words - len(self._tail), self.words)
        beyond = np.maximum(place - np.maximum(self.words - window, self._tail - 1), 0)
        return float((self._sum - beyond.sum()) / ((self.words - window + 1) * window))
