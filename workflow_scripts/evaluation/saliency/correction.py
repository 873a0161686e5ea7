"""Scores corrected for chance and ceiling: 0 for the uniform map, 1 for the best map of the layer's resolution.

With m_k the mean raw score of map k over images, the corrected score is a ratio of means,

    c_k = (m_k - m_uniform) / (m_oracle - m_uniform),

not a mean of ratios, which a single object that fills the image would make infinite. Its interval is that of the
bootstrap of classes, then images, with numerator and denominator from the same resamples; so are differences between
maps, which are paired.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workflow_scripts.core.declaration.result_names import CEILING, CHANCE, CORRECTED, LEAD, LEADING, RAW
from workflow_scripts.stats.nested import crossed_bootstrap

LEAST_RANGE = 1e-9
"""Between uniform map and oracle: with less, all objects fill their images, and nothing can be corrected."""
SCALES = (RAW, CORRECTED, LEAD)
"""Mean score; corrected score; corrected score of the leading map minus that of this one."""


class Estimates(NamedTuple):
    """Values, and the ends of their intervals, which are nan where there are none: (3, maps, scores) by scale."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


def all_scales(above: np.ndarray, chance: np.ndarray, maps: Sequence[str]) -> np.ndarray:
    """Means over images -> the three scales (..., 3, maps, scores); nan without a range between uniform map and oracle.

    Args:
        above: (..., maps, scores) mean differences to the uniform map.
        chance: (..., 1, scores) mean scores of the uniform map.
    """
    span = above[..., [maps.index(CEILING)], :]
    found = above / np.where(np.abs(span) < LEAST_RANGE, np.nan, span)
    return np.stack([above + chance, found, found[..., [maps.index(LEADING)], :] - found], axis=-3)


def estimates(
    scores: np.ndarray, labels: np.ndarray, chosen: np.ndarray, maps: Sequence[str], draws: int, level: float, seed: int
) -> Estimates:
    """All scales over some of the images, with intervals over seeds (if several), classes and images.

    Args:
        scores: (seeds, n, maps, scores) float, of the same images.
        labels: (n,) classes of the images.
        chosen: (n,) bool, the images that count.
        draws: resamples.
        level: confidence level; there are no intervals if the images are of one class.
    """
    some, classes = scores[:, chosen], labels[chosen]
    seeds, n, kinds, metrics = some.shape
    chance = some[:, :, [maps.index(CHANCE)]]
    # Differences are taken by image: the bootstrap's float32 would lose those of nearly equal means.
    parts = np.concatenate([some - chance, chance], axis=2)

    def statistic(means: np.ndarray) -> np.ndarray:
        found = means.reshape(-1, kinds + 1, metrics)
        return all_scales(found[:, :-1], found[:, -1:], maps)

    values = statistic(parts.mean(axis=(0, 1)))[0]
    if len(np.unique(classes)) < 2:
        nothing = np.full(values.shape, np.nan)
        return Estimates(values, nothing, nothing)
    resampled = crossed_bootstrap(parts.reshape(seeds, n, -1), classes, statistic, draws, seed)
    resampled[:, ~np.isfinite(values)] = 0  # not corrected, so without an interval
    low, high = np.nanquantile(resampled, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return Estimates(values, *(np.where(np.isfinite(values), end, np.nan) for end in (low, high)))


def linearised(scores: np.ndarray, chance: np.ndarray, ceiling: np.ndarray) -> np.ndarray | None:
    """Per-image values (n,) whose mean is the corrected score, and whose spread is that of the ratio to first order.

    z_i = c + ((s_i - u_i) - c (o_i - u_i)) / (mean o - mean u), the delta method (Cochran 1977, Sampling Techniques,
    section 2.11). Whatever is a mean over images, seeds and classes can then be computed as for any other score.

    Args:
        scores: (n,) raw scores of a map; ``chance`` and ``ceiling``: those of the uniform map and the oracle.

    Returns:
        None without a range between uniform map and oracle.
    """
    above, span = scores - chance, ceiling - chance
    mean = span.mean()
    if abs(mean) < LEAST_RANGE:
        return None
    ratio = above.mean() / mean
    return np.asarray(ratio + (above - ratio * span) / mean)
