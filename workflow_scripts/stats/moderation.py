"""Variances between seeds that borrow strength from all arms of a study (Smyth 2004, doi 10.2202/1544-6115.1027).

Three seeds say little about the variance of an arm, but the arms of a study vary about alike. Let s2_a be the variance
of arm a over its seeds, with d_a degrees of freedom, and e_a = log s2_a - psi(d_a / 2) + log(d_a / 2). The variances
are taken to be draws from a scaled inverse chi-square distribution. Its degrees of freedom d0 solve

    psi'(d0 / 2) = var(e) - mean psi'(d_a / 2),   infinite if the right side is not positive,

and its scale is log s2_0 = mean(e) + psi(d0 / 2) - log(d0 / 2). The moderated variance of an arm is

    (d0 s2_0 + d_a s2_a) / (d0 + d_a),   with d0 + d_a degrees of freedom, at most those of all arms together.

d0 is estimated from few arms, and arms that vary more than the others would seem too certain. So d0 counts as at most
:data:`LARGEST_PRIOR`, and no variance is below the arm's own. Both were chosen by simulating the whole rule of verdicts
(docs/statistics.md).
"""

import numpy as np
from scipy.special import digamma, gammainc, polygamma

from workflow_scripts.stats.random_effects import Part

FEWEST_ARMS = 6
"""With fewer arms the distribution of their variances is not estimated."""
LARGEST_PRIOR = 8.0
BOUNDED = True


def prior(variances: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d0 and s2_0 (...) of the distribution of positive ``variances`` (..., A) with ``freedom`` (A,)."""
    e = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    excess = e.var(axis=-1, ddof=1) - polygamma(1, freedom / 2).mean()
    half = _inverse_trigamma(np.where(excess > 0, excess, 1.0))
    shift = np.where(excess > 0, digamma(half) - np.log(half), 0.0)
    return np.where(excess > 0, 2 * half, np.inf), np.exp(e.mean(axis=-1) + shift)


def _inverse_trigamma(values: np.ndarray) -> np.ndarray:
    """y with psi'(y) = ``values`` > 0, by Newton's method on 1 / psi', which is nearly linear and convex."""
    y = 0.5 + 1 / values
    for _ in range(50):
        found = polygamma(1, y)
        step = found * (1 - found / values) / polygamma(2, y)
        y = y + step
        if np.all(-step < 1e-10 * y):
            break
    return np.asarray(y)


def moderated(variances: np.ndarray, freedom: np.ndarray) -> Part:
    """Moderated variances (..., A) of arms with ``variances`` (..., A) and ``freedom`` (A,), with their freedom."""
    found, scale = prior(variances, freedom)
    weight = np.minimum(found, LARGEST_PRIOR)[..., None]
    mixed = (weight * scale[..., None] + freedom * variances) / (weight + freedom)
    least = variances if BOUNDED else 0.0
    return Part(np.maximum(mixed, least), np.minimum(weight + freedom, freedom.sum()))


def seed_part(arms: Part, weights: np.ndarray, seeds: int, most: float) -> Part:
    """Variance of a weighted sum of the arms' means over ``seeds``, with Satterthwaite's degrees of freedom.

    Args:
        arms: (..., A) variances over seeds.
        weights: (A,) of the arms.
        most: degrees of freedom of all arms of the study together, which no sum of them exceeds.
    """
    parts = np.square(weights) * arms.variance / seeds
    total = parts.sum(axis=-1)
    return Part(total, np.minimum(np.square(total) / (np.square(parts) / arms.freedom).sum(axis=-1), most))


def expected_seed_part(freedom: np.ndarray, weights: np.ndarray, seeds: int) -> tuple[Part, float]:
    """What :func:`seed_part` is on average, if the scores of all arms deviate by 1; and its own degrees of freedom.

    The variance of an arm is x = chi2_d / d. With p the share of the prior, its moderated variance is the larger of
    p + (1 - p) x and x, which differ at x = 1; the part of E x^k below 1 is E x^k P(d/2 + k, d/2). So it is above 1
    on average, and the sum varies like a multiple of chi-square with other degrees of freedom than the test has.

    Args:
        freedom: (A,) of the arms.
        weights: (A,) of the arms.
    """
    prior_share = LARGEST_PRIOR / (LARGEST_PRIOR + freedom)
    own_share, square = 1 - prior_share, 1 + 2 / freedom
    below = [gammainc(freedom / 2 + k, freedom / 2) for k in range(3)]
    mean = prior_share * below[0] + own_share * below[1] + 1 - below[1]
    squares = prior_share**2 * below[0] + 2 * prior_share * own_share * below[1]
    squares += square * (own_share**2 * below[2] + 1 - below[2])
    arms = Part(mean, np.minimum(LARGEST_PRIOR + freedom, freedom.sum()))
    part = seed_part(arms, weights, seeds, float(freedom.sum()))
    spread = float(np.sum((np.square(weights) / seeds) ** 2 * (squares - np.square(mean))))
    return part, 2 * float(part.variance) ** 2 / spread
