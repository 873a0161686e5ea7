"""Interval of a mean over seeds and classes: two-way random effects with Satterthwaite's degrees of freedom.

Let d_sc be the difference of seed s (of S) in class c (of C), and w_c the share of class c in the mean (1/C for a mean
of class means, its share of the images for an accuracy). The model is d_sc = m + a_s + b_c + e_sc: networks of other
seeds have another a_s, other classes or other images another b_c. Of m = sum_c w_c mean_s d_sc, three parts of the
variance are estimated. With equal weights these are the mean squares of a two-way analysis of variance, over S C:

    seed   MS_seed / (S C)   = sum_s (d_s. - m)^2 / (S (S - 1))                    where d_s. = sum_c w_c d_sc
    class  MS_class / (S C)  = k sum_c w_c^2 (d_.c - m)^2                          where d_.c = mean_s d_sc
    rest   MS_rest / (S C)   = k sum_sc w_c^2 (d_sc - d_s. - d_.c + m)^2 / (S (S - 1))

    v = max(seed + class - rest, seed, class)

"rest" is subtracted since both others contain it (Searle, Casella and McCulloch 1992, Variance Components, chapter 4).
The interval is m ± t_q(f) sqrt(v). For v = seed + class - rest, f follows Satterthwaite (1946, Biometrics Bulletin
2:110): v^2 / sum of (part^2 / its own degrees of freedom); for v = seed or v = class, f is that of the part. Seeds have
S - 1 degrees of freedom.

The sum of squares of the classes is a quadratic form d' A d with A = (I - 1w')' W^2 (I - 1w') and W = diag(w). With
k = sum w_c^2 / tr A the class part of independent b_c has the expectation var(b) sum w_c^2, the variance of their
weighted mean. Its degrees of freedom, again by Satterthwaite, are (tr A)^2 / tr A^2, which is at least 1; the rest has
S - 1 times as many. For equal weights they are C - 1, and k = C / (C - 1).

Over D datasets, m is the mean over datasets. Its seeds are the same networks for all of them, so that the seed part is
that of the datasets' mean; the class and rest parts of the datasets add up, over D^2. Classes that several datasets
have in common (a car is a car) have one effect, so that such datasets have one class part: with w_D the weights of
dataset D by class of any of them (0 if it has not got it) and r the deviations from the datasets' own means,

    class  k sum_c (sum_D w_Dc r_Dc / D)^2      M = diag(W) - sum_D w_D w_D' / D,  W = sum_D w_D / D

where k = sum_c W_c^2 / tr M^2 and the degrees of freedom are (tr M^2)^2 / tr M^4: the equations above, of which A = M^2
is the case of one dataset. The rest is summed by class in the same way.

The seed part can be given instead (:mod:`workflow_scripts.stats.moderation` borrows strength from other arms).

The p-value of m = 0 is the larger of two: that of the interval, and that of t by the seed part alone. The reason is
Holm's correction, which tests at a fraction of 5 %: there Satterthwaite's approximation is too optimistic for three
seeds (29 % wrong results in a family of 30 without effects, see docs/statistics.md), while Student's t is exact.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtrinc, stdtr, stdtrit

POWER = 0.8
LARGEST_CRITICAL = 1e4
"""No effect on a score is large enough for a critical value above it, and above about 1e5 scipy does not return."""
FEWEST_SEEDS = 3
"""With fewer seeds the variance between trainings is not estimated, and no interval is given."""
NOISE = 1e-9
"""A mean or a standard error below it is rounding noise, and counts as 0."""


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


class Effect(NamedTuple):
    """Mean difference, its variance v and v's degrees of freedom, and the seed part of v; arrays of one shape.

    A variance is nan if all seeds and classes have the same difference other than 0. Such a table (of two images, say,
    that one side always gets right) does not show how others differ. Interval and p-value are nan as well.
    """

    mean: np.ndarray
    variance: np.ndarray
    freedom: np.ndarray
    seed_variance: np.ndarray
    seed_freedom: np.ndarray

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the two-sided t interval."""
        half = stdtrit(self.freedom, 0.5 + level / 2) * np.sqrt(self.variance)
        return self.mean - half, self.mean + half

    def p_value(self) -> np.ndarray:
        """Two-sided p-value of a mean of 0: the larger of those by the joint variance and by seeds alone."""
        joint = _p_value(self.mean, self.variance, self.freedom)
        return np.maximum(joint, _p_value(self.mean, self.seed_variance, self.seed_freedom))

    def p_equivalent(self, margin: float) -> np.ndarray:
        """p-value of a mean of at least ``margin`` in size: the larger of two one-sided tests (Schuirmann 1987).

        As in :meth:`p_value`, by the joint variance or by seeds alone, whichever is larger.
        """
        inside = margin - np.abs(self.mean)
        by = ((self.variance, self.freedom), (self.seed_variance, self.seed_freedom))
        with np.errstate(divide="ignore"):
            return np.maximum(*(stdtr(freedom, -inside / np.sqrt(variance)) for variance, freedom in by))

    def detectable(self, family: int, alpha: float) -> np.ndarray:
        """Smallest true effect whose p-value is significant in 80 % of studies, after Holm in a family of ``family``.

        The larger of those of the two tests behind :meth:`p_value`, by the variances that this study estimates.
        """
        joint = detectable(np.sqrt(self.variance), self.freedom, family, alpha)
        return np.maximum(joint, detectable(np.sqrt(self.seed_variance), self.seed_freedom, family, alpha))


def _p_value(mean: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Two-sided p-value of Student's t; 1 for a mean of 0 without variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, np.abs(mean) / np.sqrt(variance))
    return np.asarray(2 * stdtr(freedom, -t))


class Part(NamedTuple):
    """A part of the variance and its degrees of freedom."""

    variance: np.ndarray
    freedom: np.ndarray | float


def two_way(
    tables: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    classes: Sequence[Sequence[Hashable]] | None = None,
    seed: Part | None = None,
) -> Effect:
    """Mean over datasets of the weighted class means, over seeds and classes at random.

    Args:
        tables: for each dataset (..., S, C) float, differences of the same S seeds (in the same order) by its
            C classes; the leading axes are separate studies or contrasts.
        weights: for each dataset (C,) float, sums of 1.
        classes: for each dataset what its C classes are, each once; equal ones of several datasets are one class.
            None: datasets have no class in common.
        seed: the seed part, if it is not that of these tables.

    Raises:
        ValueError: there are fewer than three seeds, or a dataset with a single class.
    """
    seeds = tables[0].shape[-2]
    if seeds < FEWEST_SEEDS or any(len(shares) < 2 for shares in weights):
        raise ValueError(f"{seeds} seeds, {[len(shares) for shares in weights]} classes: at least 3 and 2 are required")
    by_seed = np.mean([table @ shares for table, shares in zip(tables, weights, strict=True)], axis=0)
    seed = Part(by_seed.var(axis=-1, ddof=1) / seeds, seeds - 1.0) if seed is None else seed
    return combined(by_seed.mean(axis=-1), seed, *class_parts(tables, weights, classes))


def class_parts(
    tables: Sequence[np.ndarray], weights: Sequence[np.ndarray], classes: Sequence[Sequence[Hashable]] | None = None
) -> tuple[list[Part], list[Part]]:
    """Class parts, and what seeds and classes leave, of datasets or of those with classes in common together.

    Arguments are those of :func:`two_way`. What all classes of a seed have in common cancels.
    """
    names = classes or [[(number, at) for at in range(len(shares))] for number, shares in enumerate(weights)]
    own = list(zip((np.asarray(table, np.float64) for table in tables), weights, names, strict=True))
    parts = [_joined_parts([own[at] for at in members], len(tables)) for members in _joined(names)]
    return [of_classes for of_classes, _ in parts], [of_rest for _, of_rest in parts]


def _joined(classes: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Numbers of the datasets, those with classes in common together."""
    found: list[tuple[set[Hashable], list[int]]] = []
    for number, own in enumerate(classes):
        linked = [group for group in found if not group[0].isdisjoint(own)]
        found = [group for group in found if group not in linked]
        found.append((set(own).union(*(names for names, _ in linked)), [*(n for _, ns in linked for n in ns), number]))
    return [numbers for _, numbers in found]


def _deviations(table: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviations of one dataset's classes from its mean (..., C), and what seeds and classes leave (..., S, C)."""
    by_seed, by_class = table @ shares, table.mean(axis=-2)
    mean = by_seed.mean(axis=-1)
    rest = table - by_seed[..., :, None] - by_class[..., None, :] + mean[..., None, None]
    return by_class - mean[..., None], rest


def _joined_parts(members: Sequence[tuple[np.ndarray, np.ndarray, Sequence[Hashable]]], sets: int) -> tuple[Part, Part]:
    """Class part and rest of a dataset, or of several with classes in common, of ``sets`` in all.

    Args:
        members: table (..., S, C), weights (C,) and classes of each.
    """
    place = {name: at for at, name in enumerate(dict.fromkeys(name for *_, names in members for name in names))}
    of_sets = np.zeros((len(place), len(members)))
    shape, seeds = members[0][0].shape[:-2], members[0][0].shape[-2]
    by_class, rest = np.zeros((*shape, len(place))), np.zeros((*shape, seeds, len(place)))
    for number, (table, shares, names) in enumerate(members):
        at = [place[name] for name in names]
        of_sets[at, number] = shares
        for total, own in zip((by_class, rest), _deviations(table, shares), strict=True):
            total[..., at] += own * shares / sets
    scale, freedom = _constants(of_sets, sets)
    return (
        Part(scale * np.square(by_class).sum(axis=-1), freedom),
        Part(scale * np.square(rest).sum(axis=(-2, -1)) / (seeds * (seeds - 1)), freedom * (seeds - 1)),
    )


def _constants(of_sets: np.ndarray, sets: int) -> tuple[float, float]:
    """k, and the degrees of freedom of the class part, for weights (C, D) of D of the ``sets`` datasets.

    The traces of M^2 and M^4, in O(C^2 D). The entries of M and M^2 are computed rather than sums of powers of the
    weights, which would be lost in rounding where one class has nearly all of the weight.
    """
    total = of_sets.sum(axis=1) / sets
    form = np.diag(total) - of_sets @ of_sets.T / sets
    squared = form * total - form @ of_sets @ of_sets.T / sets
    trace = np.square(form).sum()
    return float(total @ total / trace), float(trace**2 / np.square(squared).sum())


def combined(mean: np.ndarray, seed: Part, of_classes: Sequence[Part], of_rest: Sequence[Part]) -> Effect:
    """The variance of the mean from its parts, and the degrees of freedom."""
    classes = sum((part.variance for part in of_classes), np.zeros_like(mean))
    total = seed.variance + classes - sum(part.variance for part in of_rest)
    variance = np.maximum(total, np.maximum(seed.variance, classes))
    alone = np.where(variance == seed.variance, _spread([seed]), _spread(of_classes))
    parts = np.where(variance == total, _spread([seed, *of_classes, *of_rest]), alone)
    seed_freedom = np.broadcast_to(np.asarray(seed.freedom, np.float64), mean.shape)
    freedom = np.divide(np.square(variance), parts, out=seed_freedom.copy(), where=parts > 0)
    mean = np.where(np.abs(mean) < NOISE, 0.0, mean)
    unknown = (variance < NOISE**2) & (mean != 0)
    return Effect(mean, np.where(unknown, np.nan, variance), freedom, seed.variance, seed_freedom)


def _spread(parts: Sequence[Part]) -> np.ndarray:
    """Sum of squared variances over their degrees of freedom: half the variance of the summed variances."""
    return np.asarray(sum(np.square(part.variance) / part.freedom for part in parts))
