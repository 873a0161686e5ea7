"""Whether a metric recovers the known order of runs, and what it adds to the probe's accuracy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr
from scipy.stats import rankdata


class Gain(NamedTuple):
    """Partial R^2 of a metric, its coefficient and the p-value of that; nan without enough runs, values or variance."""

    share: float
    slope: float
    p: float


UNKNOWN = Gain(float("nan"), float("nan"), float("nan"))


def recovered(values: np.ndarray, orderings: Sequence[tuple[int, int]]) -> float:
    """Share of known orderings (lower, higher) that ``values`` (R,) have, ties counted half; nan without any."""
    if not orderings:
        return float("nan")
    low, high = np.array(orderings).T
    return float(np.mean(np.where(values[high] == values[low], 0.5, values[high] > values[low])))


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of (R,) values, ties with their mean rank; nan if one has no variance or R < 3."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def partial_r2(outcome: np.ndarray, known: np.ndarray, added: np.ndarray) -> Gain:
    """What ``added`` explains of an outcome beyond ``known``: (SSE of known - SSE of both) / SSE of known.

    Ordinary least squares with an intercept; the p-value is that of the added coefficient's t with R - 3 degrees of
    freedom (two-sided).

    Args:
        outcome, known, added: (R,) float.
    """
    runs = len(outcome)
    if runs < 4 or not np.isfinite([outcome, known, added]).all() or np.ptp(added) == 0:
        return UNKNOWN
    base, _ = _fit(outcome, known[:, None])
    both, slope = _fit(outcome, np.column_stack([known, added]))
    if base <= 1e-12 * max(1.0, float(np.square(outcome).sum())):
        return UNKNOWN  # the probe explains everything
    share = min(1.0, max(0.0, (base - both) / base))
    if share == 1:
        return Gain(share, slope, 0.0)
    t = np.sqrt(share * (runs - 3) / (1 - share))
    return Gain(share, slope, float(2 * stdtr(runs - 3, -t)))


def _fit(outcome: np.ndarray, columns: np.ndarray) -> tuple[float, float]:
    """SSE of ordinary least squares with an intercept, and the coefficient of the last column."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    solution = np.linalg.lstsq(design, outcome, rcond=None)[0]
    return float(np.square(outcome - design @ solution).sum()), float(solution[-1])
