"""Agreement of raters on an ordinal scale: Krippendorff's alpha."""

from collections.abc import Sequence

import numpy as np


def ordinal_alpha(ratings: Sequence[Sequence[int]], values: int) -> float | None:
    """1 - observed / expected disagreement (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section D).

    Args:
        ratings: by item, the ratings that it got, each in 0..values - 1; items with fewer than two do not count.
        values: number of points of the scale.

    Returns:
        1 for perfect agreement, 0 for that of chance, negative below it; None if no item has two ratings, or if all of
        these ratings are equal, since chance would agree as well.
    """
    coincidences = np.zeros((values, values))
    for item in ratings:
        if len(item) > 1:
            counts = np.bincount(item, minlength=values).astype(np.float64)
            coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(item) - 1)
    totals = coincidences.sum(axis=0)
    n = totals.sum()
    # The squared distance of c and k: all ratings from c to k, those of c and k themselves counted half.
    middle = np.cumsum(totals) - totals / 2
    distance = (middle[:, None] - middle[None, :]) ** 2
    expected = float((np.outer(totals, totals) * distance).sum())
    return None if expected == 0 else 1 - float((n - 1) * (coincidences * distance).sum()) / expected
