"""Intervals of figures whose observations depend on one another within clusters, and agreement of raters.

A figure is linearised: each observation has an influence on it, and the clusters' sums of these are independent.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from workflow_scripts.stats.intervals import LEVEL, Interval, figure, half_width, monte_carlo_error, student_t, wilson


def by_draws(estimate: Callable[..., Interval | None], *draws: np.ndarray, clusters: np.ndarray) -> Interval | None:
    """A figure of observations that were themselves computed from random draws.

    Args:
        estimate: :func:`share`, :func:`cohen_kappa`, :func:`spearman`, :func:`kendall_b` or :func:`kendall_c`.
        draws: what it takes, (1, n) or (3, n): the observations, and those by each half of the draws alone, whose
            Monte Carlo error the interval then has too.
    """
    whole, *halves = zip(*np.broadcast_arrays(*draws), strict=True)
    found = estimate(*whole, clusters)
    by_half = [one.value for half in halves if (one := estimate(*half, clusters)) is not None]
    if found is None or not by_half:
        return found
    return estimate(*whole, clusters, monte_carlo_error(found.value, by_half))


def figure_by_draws(
    estimate: Callable[..., Interval | None], known: np.ndarray, clusters: np.ndarray, *draws: np.ndarray
) -> dict[str, Any]:
    """The figure of :func:`by_draws` of the ``known`` (n,) observations; without value where there are none."""
    n = int(known.sum())
    return figure(by_draws(estimate, *(draw[:, known] for draw in draws), clusters=clusters[known]) if n else None, n)


def clustered(
    value: float, influence: np.ndarray, clusters: np.ndarray, least: float, most: float, simulated: float = 0.0
) -> Interval:
    """A figure with the t interval of one linearised value per cluster, cut to what it can be.

    Args:
        value: the figure.
        influence: (n,) float, derivative of the figure by the weight of each observation, times n; its mean is 0.
        clusters: (n,) the cluster of each observation.
        least, most: bounds of the figure.
        simulated: its Monte Carlo error.
    """
    _, low, high = student_t(linearised(value, influence, clusters), simulated=simulated)
    if low is None or high is None:
        return Interval(value, None, None)
    return Interval(value, max(low, least), min(high, most))


def linearised(value: float, influence: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(clusters,) independent values, whose mean is the figure and whose spread is that of its estimate."""
    _, cluster = np.unique(clusters, return_inverse=True)
    sums = np.bincount(cluster, influence)
    return np.asarray(value + sums * len(sums) / len(influence))


def share(hits: np.ndarray, clusters: np.ndarray, simulated: float = 0.0) -> Interval:
    """Mean of ``hits`` (n,), each from 0 to 1: a ratio of sums over clusters (Cochran 1977, Sampling, 3.12).

    A share of 0 or 1 has the Wilson interval of as many observations as there are clusters, widened by the Monte Carlo
    error as that of a normal distribution would be.
    """
    value = float(hits.mean())
    if value in (0.0, 1.0):  # all clusters are alike, which gives the t interval no width
        count = len(np.unique(clusters))
        found = wilson(value, count)
        if not simulated or count < 2:
            return found
        spread = max(abs((end or 0.0) - value) for end in found[1:])
        half = half_width(float(spread / ndtri(0.5 + LEVEL / 2)), count - 1, simulated)
        return Interval(value, max(value - half, 0.0), min(value + half, 1.0))
    return clustered(value, hits - value, clusters, 0.0, 1.0, simulated)


def linearised_ratio(hits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n,) values with mean sum(hits) / sum(sizes), whose spread is that of the ratio (Cochran 1977, Sampling, 6.3).

    The t interval of their mean is that of the ratio; that of the mean difference of two such arrays, for the same n
    clusters, is that of the difference between the ratios.

    Args:
        hits: (n,) sum over each cluster, such as the hits among its observations.
        sizes: (n,) number of observations of each cluster; not all 0.
    """
    value = hits.sum() / sizes.sum()
    return np.asarray(value + (hits - value * sizes) * len(sizes) / sizes.sum())


def cohen_kappa(first: np.ndarray, second: np.ndarray, clusters: np.ndarray, simulated: float = 0.0) -> Interval | None:
    """Cohen's kappa (1960, Educ. Psychol. Meas. 20:37) of two yes-or-no answers (n,) bool.

    With every observation a cluster of its own, the interval has the large-sample standard error of Fleiss, Cohen and
    Everitt (1969, Psychol. Bull. 72:323), with n - 1. None if both always give the same answer.
    """
    one, two, same = first.mean(), second.mean(), first == second
    observed, expected = same.mean(), one * two + (1 - one) * (1 - two)
    if expected == 1:
        return None
    by_chance = (2 * two - 1) * (first - one) + (2 * one - 1) * (second - two)
    influence = (same - observed) / (1 - expected) - (1 - observed) / (1 - expected) ** 2 * by_chance
    return clustered(float((observed - expected) / (1 - expected)), influence, clusters, -1.0, 1.0, simulated)


def spearman(first: np.ndarray, second: np.ndarray, clusters: np.ndarray, simulated: float = 0.0) -> Interval | None:
    """Spearman's rank correlation of (n,) values, ties with their mean rank.

    The influence of an observation is that of its own ranks and of its place in the ranks of all others (Hoeffding
    1948, Ann. Math. Stat. 19:293, section 9). None if one of them is constant.
    """
    (one, above_one), (two, above_two) = _centred_ranks(first), _centred_ranks(second)
    scale = float(np.sqrt((one**2).mean() * (two**2).mean()))
    if scale == 0:
        return None
    product = float((one * two).mean())
    influence = (one * two + above_one(two) + above_two(one) - 3 * product) / scale
    return clustered(product / scale, influence, clusters, -1.0, 1.0, simulated)


def _centred_ranks(values: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """(n,) mean ranks over n, less their mean; and x -> (n,) sums of x over larger values, equal ones half, over n."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2

    def above(weights: np.ndarray) -> np.ndarray:
        sums = np.bincount(place, weights)
        return (sums[::-1].cumsum()[::-1] - sums / 2)[place] / len(values)

    return middle[place] / len(values) - 0.5, above


def kendall_b(first: np.ndarray, second: np.ndarray, clusters: np.ndarray, simulated: float = 0.0) -> Interval | None:
    """Kendall's tau-b (1945, Biometrika 33:239) of (n,) values: 1 if neither has ties and they have the same order.

    The influence of an observation is its share in a ratio of U-statistics (Hoeffding 1948, Ann. Math. Stat. 19:293).
    Time grows with the number of distinct values of ``second``. None if one of them is constant.
    """
    same, one, two = _same_order(first, second), _untied(first), _untied(second)
    if not one.any() or not two.any():
        return None
    scale = float(np.sqrt(one.mean() * two.mean()))
    value = float(same.mean()) / scale
    influence = 2 * (same - same.mean()) / scale - value * (one / one.mean() + two / two.mean() - 2)
    return clustered(value, influence, clusters, -1.0, 1.0, simulated)


def kendall_c(first: np.ndarray, second: np.ndarray, clusters: np.ndarray, simulated: float = 0.0) -> Interval | None:
    """Stuart's tau-c (1953, Biometrika 40:105) of (n,) values, for few levels: can reach 1 though one has more of them.

    Influence, time and None: as those of :func:`kendall_b`.
    """
    same, levels = _same_order(first, second), min(len(np.unique(first)), len(np.unique(second)))
    if levels < 2:
        return None
    most = 1 - 1 / levels
    return clustered(float(same.mean()) / most, 2 * (same - same.mean()) / most, clusters, -1.0, 1.0, simulated)


def _same_order(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) over all observations, the mean sign of the product of their differences from each one; 0 for ties."""
    found = np.zeros(len(first))
    for level in np.unique(second):
        values = np.sort(first[second == level])
        below, above = np.searchsorted(values, first), len(values) - np.searchsorted(values, first, "right")
        found += np.sign(second - level) * (below - above)
    return found / len(first)


def _untied(values: np.ndarray) -> np.ndarray:
    """(n,) share of the observations that have another value than each one."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(1 - counts[place] / len(values))


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
