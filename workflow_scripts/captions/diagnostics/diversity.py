"""Lexical diversity of a set of captions."""

import numpy as np


def type_token_ratio(words: np.ndarray) -> float | None:
    """Different words / words of (n,) word codes; falls with n, so compare only sets of equal length."""
    return len(np.unique(words)) / len(words) if len(words) else None


def moving_average_ratio(words: np.ndarray, window: int) -> float | None:
    """Type-token ratio averaged over all windows of ``window`` consecutive words; does not fall with n.

    Source: Covington & McFall 2010, Journal of Quantitative Linguistics 17:94. A word counts as a new type in every
    window that begins after its last occurrence, so one pass over (n,) int codes gives the sum over all windows. Fewer
    words than ``window`` make one window.
    """
    count = len(words)
    if not count:
        return None
    window = min(window, count)
    order = np.argsort(words, kind="stable")
    before = np.full(count, -1, dtype=np.int64)
    same = words[order][1:] == words[order][:-1]
    before[order[1:][same]] = order[:-1][same]
    place = np.arange(count)
    earliest = np.maximum(before + 1, np.maximum(place - window + 1, 0))
    latest = np.minimum(place, count - window)
    types = np.maximum(latest - earliest + 1, 0).sum()
    return float(types / ((count - window + 1) * window))
