"""The Wilson score interval of a share."""

from math import sqrt
from statistics import NormalDist


def wilson(share: float, count: float, level: float = 0.95) -> tuple[float, float]:
    """Interval at ``level`` of a share of ``count`` independent observations.

    Source: Wilson 1927, JASA 22:209. ``share * count`` need not be whole, so that dependent observations can be
    counted as fewer.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    square = z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
