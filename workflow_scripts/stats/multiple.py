"""Several comparisons at once: Holm's adjustment, and the smallest effect that it would still detect."""

import numpy as np
from scipy.special import nctdtrinc, stdtrit

POWER = 0.8
LARGEST_CRITICAL = 1e4
"""No effect on a score is large enough for a critical value above it, and above about 1e5 scipy does not return."""


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values of a family ``p`` (..., n), by Holm (1979, Scand. J. Statist. 6:65).

    The i-th smallest of n p-values becomes the largest of (n - j + 1) p_(j) over j <= i, at most 1. Rejecting those at
    or below a, the chance of any wrong rejection in the family is at most a, whatever the dependence between
    comparisons.
    """
    order = np.argsort(p, axis=-1, kind="stable")
    n = p.shape[-1]
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * np.arange(n, 0, -1), axis=-1)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1), axis=-1)
    return adjusted


def detectable(standard_error: np.ndarray, freedom: np.ndarray, family: int, alpha: float = 0.05) -> np.ndarray:
    """Smallest true effect that a two-sided t test at ``alpha`` finds in 80 % of studies, after Holm.

    The test is at alpha / n, Holm's first step in a family of n, which an effect must pass if it is the only one. With
    t* the critical value, the effect is d se, where a noncentral t with noncentrality d exceeds t* with probability 0.8
    (Cohen 1988, Statistical Power Analysis, chapter 2). Values below -t* add less than 1e-4 and are not counted.

    Args:
        standard_error: (...) of the effect.
        freedom: (...) its degrees of freedom.
        family: n, the number of comparisons.

    Returns:
        (...) float64; infinite where the critical value is above :data:`LARGEST_CRITICAL`.
    """
    critical = stdtrit(freedom, 1 - alpha / (2 * family))
    noncentrality = nctdtrinc(freedom, 1 - POWER, np.minimum(critical, LARGEST_CRITICAL))
    return np.where(critical > LARGEST_CRITICAL, np.inf, noncentrality * standard_error)
