"""The Wilson score interval of a share."""

from math import sqrt

Z95 = 1.959963984540054


def wilson(share: float, count: float) -> tuple[float, float]:
    """95 % interval of a share of ``count`` independent observations.

    Source: Wilson 1927, JASA 22:209. ``share * count`` need not be whole, so that dependent observations can be
    counted as fewer.
    """
    square = Z95 * Z95 / count
    middle = (share + square / 2) / (1 + square)
    half = Z95 * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
