"""Endpoints that are no accuracies of runs: figures of pair tables, of captions, and of a saliency metric.

Their intervals are over images: training has no part in pairs and captions. Orderings also vary between seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.evaluation.contrasts.comparisons import Side
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import StudyScores
from workflow_scripts.evaluation.discrimination.rule import LEAST_LEVELS, Discrimination
from workflow_scripts.evaluation.discrimination.table import checkpoints, known_levels, known_orderings, recovers
from workflow_scripts.stats.clustered import linearised
from workflow_scripts.stats.intervals import LEVEL, combined, monte_carlo_error, standard_error
from workflow_scripts.stats.nested import nested_means
from workflow_scripts.stats.random_effects import FEWEST_SEEDS, NOISE, Effect
from workflow_scripts.stats.seeds import derive

SEED = 0  # of the bootstrap
MANY = 1e9
"""Degrees of freedom of a normal distribution, which scipy's t does not take as infinite."""
LEAST_SHARES = 1 / 12
"""Least variance between seeds of the share of orderings."""


@dataclass(frozen=True)
class Endpoint:
    """The figure of a contrast.

    Attributes:
        metric: its full name.
        value: the figure.
        effect: with its variance; None without an interval.
        n: images or, of orderings, seeds.
        files: indices of the files behind it.
        level: what its interval is over.
        sides: the checkpoints behind it.
        reason: why it can't be conclusive; empty if it can.
    """

    metric: str
    value: float
    effect: Effect | None
    n: int
    files: list[int]
    level: str = "image"
    sides: tuple[Side, ...] = ()
    reason: str = ""


class Sample(NamedTuple):
    """What one term averages of a pair table or an arm.

    Attributes:
        weight: of its mean.
        values: (1, n) float; or (3, n): the values, and those by each half of the judge's other images alone.
        images: (n,) keys of the images.
    """

    weight: float
    values: np.ndarray
    images: pa.ChunkedArray


def weighted_means(metric: str, samples: Sequence[Sample], files: list[int], paired: bool) -> Endpoint:
    """The weighted sum of means over images. What samples have of the same image is one cluster, so they are paired.

    Args:
        paired: only images that all samples have count.
    """
    images = pa.chunked_array([chunk for one in samples for chunk in one.images.chunks], pa.string())
    codes = images.combine_chunks().dictionary_encode().indices.to_numpy()
    of = np.repeat(np.arange(len(samples)), [len(one.images) for one in samples])
    values = np.concatenate([one.values for one in samples], axis=1)
    if paired:
        kept = (np.bincount(codes, minlength=1) == len(samples))[codes]
        codes, of, values = codes[kept], of[kept], values[:, kept]
    sizes, n = np.bincount(of, minlength=len(samples)), len(np.unique(codes))
    if n < 2 or not sizes.all():
        return Endpoint(metric, np.nan, None, n, files, reason="fewer than two images")
    factor = (np.array([one.weight for one in samples]) / sizes)[of]
    value, *halves = (values * factor).sum(axis=1).tolist()
    means = np.bincount(of, values[0]) / sizes
    parts = linearised(value, factor * (values[0] - means[of]) * len(of), codes)
    error, freedom = combined(standard_error(parts), n - 1, monte_carlo_error(value, halves))
    if error < NOISE and value:
        return Endpoint(metric, value, None, n, files, reason="all images have the same difference")
    return Endpoint(metric, value, _effect(value, error**2, freedom), n, files)


def _effect(value: float, variance: float, freedom: float) -> Effect:
    part = np.asarray(variance), np.asarray(freedom)
    return Effect(np.asarray(value), *part, *part)


def stored(metric: str, figure: Mapping[str, Any], files: list[int]) -> Endpoint:
    """A share with its interval, as its stage gave it. Its error is that of the wider side, as if it were normal."""
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if low is None or high is None:
        reason = "no interval: nothing was compared"
        return Endpoint(metric, np.nan if value is None else value, None, figure["n"], files, reason=reason)
    error = max(high - value, value - low) / float(ndtri(0.5 + LEVEL / 2))
    return Endpoint(metric, value, _effect(value, error**2, MANY), figure["n"], files)


def orderings(
    scores: StudyScores,
    rows: Sequence[Mapping[str, Any]],
    runs: Sequence[SummaryRun],
    metric: str | None,
    rule: Discrimination,
    resamples: int,
) -> Endpoint:
    """How many of the known orderings of checkpoints a saliency metric recovers: their share less 0.5, that of chance.

    Its variance is that between seeds, whose orderings are clusters, and that of a bootstrap of classes and images,
    summed. The variance between seeds is not below that of uniform shares: few seeds can have about the same share by
    chance, above all of a metric that drifts within each run.

    Args:
        rows: of the summary.
        metric: its family; None: the one that leads.
        rule: with the known orderings.
    """
    family = metric or SALIENCY
    sets = dict.fromkeys(name for table in scores.series.values() for own, name in table if own == family)
    every = checkpoints(rows, scores.series, rule.doses) if sets else []
    found = [one for one in every if all((family, name) in scores.series[one.run, one.step] for name in sets)]
    tables = [[scores.series[one.run, one.step][family, name] for one in found] for name in sets]
    by_run = {run.run: run for run in runs}
    sides = tuple(Side(1.0, one.step, (by_run[one.run],)) for one in found)
    files = sorted({one.file for table in tables for one in table})
    none = Endpoint(f"orderings.{family}", np.nan, None, 0, files, "joint", sides, "no order of runs is known")
    known = known_orderings(found, rule.stated)
    if not known:
        return none
    hits = np.mean([recovers(np.array([one.values @ one.shares for one in table]), known) for table in tables], axis=0)
    seeds = np.array([by_run[found[low].run].seed for low, _ in known])
    value, n = float(hits.mean()) - 0.5, len(np.unique(seeds))
    if n < FEWEST_SEEDS:
        return replace(none, value=value, n=n, reason=f"seeds: {n}; {FEWEST_SEEDS} are required")
    own = max(standard_error(linearised(value, hits - hits.mean(), seeds)) ** 2, LEAST_SHARES / n)
    total = own + sum(_of_images(table, known, resamples) for table in tables) / len(tables) ** 2
    effect = Effect(*map(np.asarray, (value, total, (n - 1) * (total / own) ** 2, own, n - 1)))
    levels = known_levels(found, rule.stated)
    count = len(np.unique(levels[np.isfinite(levels)]))
    reason = "" if count >= LEAST_LEVELS else f"known levels: {count}; {LEAST_LEVELS} are required"
    return replace(none, value=value, effect=effect, n=n, reason=reason)


def _of_images(table: Sequence[Series], known: Sequence[tuple[int, int]], resamples: int) -> float:
    """Variance of the share of orderings over resamples of a set's classes and images."""
    values, like = np.column_stack([one.values for one in table]), table[0]
    means = nested_means(values, like.labels, like.shares, resamples, derive(SEED, "orderings", like.dataset))
    return float(recovers(means, known).mean(axis=-1).var())
