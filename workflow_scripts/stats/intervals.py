"""Confidence intervals: Wilson, Student t, and the percentile bootstrap, plain, paired and per class."""

from collections.abc import Iterator, Sequence
from math import hypot, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes half a second to import

LEVEL = 0.95  # confidence level unless a setting states another
CELLS = 4_000_000
"""Resampling weights held at once (float32, so 16 MB)."""


class Interval(NamedTuple):
    """A value with its interval; ``low`` and ``high`` are None where none can be given."""

    value: float
    low: float | None
    high: float | None


def wilson(share: float, n: float, level: float = LEVEL) -> Interval:
    """A share of ``n`` observations with the score interval of Wilson (1927, JASA 22:209), uncorrected.

    ``share * n`` need not be an integer, so that dependent observations can be counted as fewer.

    Raises:
        ValueError: ``n`` is not positive or ``share`` lies outside 0..1.
    """
    if not 0 <= share <= 1 or not n > 0:
        raise ValueError(f"share is {share}, n is {n}: 0 <= share <= 1 and n > 0 are required")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    square = z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def share_difference(share: Interval, other: Interval) -> Interval:
    """The difference of two independent shares with Wilson's intervals, in -1..1.

    Newcombe (1998, Statistics in Medicine 17:873), method 10.
    """
    first, low, high = (end or 0.0 for end in share)
    second, other_low, other_high = (end or 0.0 for end in other)
    below, above = hypot(first - low, other_high - second), hypot(high - first, second - other_low)
    return Interval(first - second, first - second - below, first - second + above)


def student_t(values: np.ndarray, level: float = LEVEL, fewest: int = 2, simulated: float = 0.0) -> Interval:
    """Mean of independent ``values`` (n,) with Student's t interval; none from fewer than ``fewest`` values.

    Args:
        simulated: a Monte Carlo error of the mean besides that of its values (:func:`monte_carlo_error`).
    """
    mean = float(np.mean(values))
    if len(values) < max(fewest, 2):
        return Interval(mean, None, None)
    half = half_width(standard_error(values), len(values) - 1, simulated, level)
    return Interval(mean, mean - half, mean + half)


def combined(error: float, freedom: float, simulated: float) -> tuple[float, float]:
    """A standard error with its degrees of freedom, and a Monte Carlo error with one, as one error with its own.

    Their sum of squares has Satterthwaite's degrees of freedom (1946, Biometrics Bull. 2:110).
    """
    if not simulated:
        return error, freedom
    total = error**2 + simulated**2
    return sqrt(total), total**2 / (error**4 / freedom + simulated**4)


def half_width(error: float, freedom: float, simulated: float = 0.0, level: float = LEVEL) -> float:
    """Half of a t interval by the :func:`combined` error."""
    error, freedom = combined(error, freedom, simulated)
    return float(stdtrit(freedom, 0.5 + level / 2) * error)


def monte_carlo_error(value: float, halves: Sequence[float]) -> float:
    """Error of a figure that is due to drawing what it was computed from, by the same figure from each half alone.

    Of a mean this is the usual estimate, half of the difference between the halves. Of other figures it also has the
    bias, which is twice as large with half as many draws.
    """
    return sqrt(sum((half - value) ** 2 for half in halves) / len(halves)) if len(halves) else 0.0


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of ``values`` (n,), n >= 2: sample deviation (n - 1) over sqrt(n)."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def resampling_weights(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of ``n`` items is drawn in each bootstrap resample, as blocks (b, n) float32 with row sums n."""
    rng = np.random.default_rng(seed)
    block = max(1, min(resamples, CELLS // n))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float32)


def bootstrap_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of bootstrap resamples of items.

    Args:
        values: (n, m) float, one row an item; all columns share the resamples, so that differences stay paired.

    Returns:
        (resamples, m) float64.
    """
    blocks = [weights @ values for weights in resampling_weights(len(values), resamples, seed)]
    return np.concatenate(blocks).astype(np.float64) / len(values)


def bootstrap_class_means(values: np.ndarray, labels: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Mean over classes of the class means, in bootstrap resamples of items.

    Args:
        values: (n, m) float, one row an item.
        labels: (n,) int; a class that a resample misses is left out of that resample's mean.

    Returns:
        (resamples, m) float64.
    """
    classes, index = np.unique(labels, return_inverse=True)
    member = np.eye(len(classes), dtype=np.float32)[index]
    out = []
    for weights in resampling_weights(len(values), resamples, seed):
        counts = weights @ member
        share = np.where(counts > 0, 1 / np.maximum(counts, 1), 0) / (counts > 0).sum(axis=1, keepdims=True)
        out.append((weights * (share @ member.T)) @ values)
    return np.concatenate(out).astype(np.float64)


def class_means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean over classes of the class means of ``values`` (n, m) by ``labels`` (n,): (m,) float64."""
    return np.mean([values[labels == one].mean(axis=0, dtype=np.float64) for one in np.unique(labels)], axis=0)


def percentile_interval(value: float, resampled: np.ndarray, level: float = LEVEL) -> Interval:
    """``value`` with the percentile interval of its ``resampled`` values (b,) (Efron 1979, Ann. Stat. 7:1)."""
    low, high = np.quantile(resampled, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high))


def bootstrap(values: np.ndarray, resamples: int, seed: int, level: float = LEVEL) -> Interval:
    """Mean of ``values`` (n,) with its percentile bootstrap interval; none from a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, None, None)
    return percentile_interval(mean, bootstrap_means(values[:, None], resamples, seed)[:, 0], level)


def figure(interval: Interval | None, n: int) -> dict[str, Any]:
    """``value``, ``low``, ``high`` and ``n`` of a JSON file; None but for ``n`` without an interval."""
    value, low, high = interval or (None, None, None)
    return {"value": value, "low": low, "high": high, "n": n}


def share_figure(hits: int, n: int) -> dict[str, Any]:
    """The :func:`figure` of ``hits`` of ``n`` observations, with Wilson's interval."""
    return figure(wilson(hits / n, n) if n else None, n)


def mean_figure(values: np.ndarray) -> dict[str, Any]:
    """The :func:`figure` of the mean of the known ones of (n,) values (not NaN), with Student's t interval.

    Of (3, n) values it is that of the first row; the others are the same by half of the draws each, for the interval.
    """
    rows = np.atleast_2d(values).astype(np.float64)
    known = rows[:, ~np.isnan(rows[0])]
    if not known.size:
        return figure(None, 0)
    simulated = monte_carlo_error(float(known[0].mean()), known[1:].mean(axis=1).tolist())
    return figure(student_t(known[0], simulated=simulated), known.shape[1])
