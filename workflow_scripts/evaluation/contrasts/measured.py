"""A comparison on one set: weighted differences by image, class, episode and seed, and their intervals by level.

- ``episode``: other few-shot episodes from the same images (Student's t over episodes).
- ``image``: other images and classes for these networks (bootstrap of classes, then images).
- ``seed``: other trainings, on the same images (Student's t over seeds).
- ``joint``: other trainings and other images and classes (:mod:`workflow_scripts.stats.random_effects`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workflow_scripts.evaluation.contrasts.comparisons import Comparison, Side, common_seeds
from workflow_scripts.evaluation.contrasts.saliency_series import is_compared
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.study_scores import StudyScores
from workflow_scripts.stats.intervals import LEVEL, Interval, percentile_interval, student_t
from workflow_scripts.stats.random_effects import FEWEST_SEEDS, Effect, two_way

Place = tuple[str, str]


@dataclass(frozen=True)
class Measured:
    """Differences on one set.

    Attributes:
        sides: the terms, with those of their runs that are used.
        like: a score of the set, for its name, metric, classes and the images' shares.
        by_image: (n,) float64, mean over seeds (those that all runs have; without any, over each term's own).
        by_episode: (e,) float64, likewise, where the metric has episodes.
        by_class: (S, C) float64, of each common seed and class.
        files: indices of the files behind it.
    """

    sides: tuple[Side, ...]
    like: Series
    by_image: np.ndarray
    by_episode: np.ndarray | None
    by_class: np.ndarray
    files: list[int]

    @property
    def value(self) -> float:
        """The difference: weighted mean over images."""
        return float(self.like.shares @ self.by_image)


class Level(NamedTuple):
    """An interval of one level, of n episodes, images or seeds; and the joint effect, at that level."""

    name: str
    interval: Interval
    n: int
    effect: Effect | None = None


def measure(comparison: Comparison, scores: StudyScores) -> Iterator[tuple[Place, Measured]]:
    """The comparison on each set and metric that all of its runs have, without saliency's floors and ceilings."""
    sides = [
        side._replace(runs=tuple(run for run in side.runs if scores.series.get((run.run, side.step))))
        for side in comparison.sides
    ]
    if not all(side.runs for side in sides):
        return
    seeds = common_seeds(sides)
    if seeds:
        sides = [side._replace(runs=tuple(run for run in side.runs if run.seed in seeds)) for side in sides]
    tables = [scores.series[run.run, side.step] for side in sides for run in side.runs]
    for place in tables[0]:
        compared = not place[0].startswith("saliency.") or is_compared(place[0])
        if compared and all(place in table for table in tables):
            yield place, _measured(sides, seeds, scores, place)


def _measured(sides: Sequence[Side], seeds: Sequence[int], scores: StudyScores, place: Place) -> Measured:
    def weighed(part: Callable[[Series], np.ndarray], seed: int | None) -> np.ndarray:
        """The weighted sum of each term's mean, over its runs with this seed."""
        return np.sum(
            [side.weight * np.mean([part(one) for one in found(side, seed)], axis=0) for side in sides], axis=0
        )

    def found(side: Side, seed: int | None) -> list[Series]:
        return [scores.series[run.run, side.step][place] for run in side.runs if seed in (None, run.seed)]

    def mean(part: Callable[[Series], np.ndarray]) -> np.ndarray:
        return np.asarray(np.mean([weighed(part, seed) for seed in seeds or (None,)], axis=0))

    like = found(sides[0], None)[0]
    return Measured(
        tuple(sides),
        like,
        mean(lambda one: one.values.astype(np.float64)),
        None if like.episodes is None else mean(lambda one: np.asarray(one.episodes)),
        np.array([weighed(lambda one: one.by_class, seed) for seed in seeds]).reshape(
            len(seeds), len(like.class_shares)
        ),
        sorted({one.file for side in sides for one in found(side, None)}),
    )


def levels(members: Sequence[Measured], resampled: np.ndarray) -> Iterator[Level]:
    """Intervals of one set, or of the mean over several.

    Args:
        resampled: (b,) the difference in resamples of classes and images, averaged over sets.
    """
    value = float(np.mean([one.value for one in members]))
    episodes = [one.by_episode for one in members if one.by_episode is not None]
    if len(episodes) == len(members):
        yield Level("episode", student_t(np.mean(episodes, axis=0)), sum(map(len, episodes)))
    images = sum(len(one.by_image) for one in members)
    yield Level("image", percentile_interval(value, resampled) if images > 1 else Interval(value, None, None), images)
    seeds = len(members[0].by_class)
    if seeds:
        by_seed = np.mean([one.by_class @ one.like.class_shares for one in members], axis=0)
        yield Level("seed", student_t(by_seed, fewest=FEWEST_SEEDS), seeds)
    if seeds < FEWEST_SEEDS or any(one.by_class.shape[1] < 2 for one in members):
        yield Level("joint", Interval(value, None, None), seeds)
        return
    effect = two_way([one.by_class for one in members], [one.like.class_shares for one in members])
    if np.isnan(effect.variance):
        yield Level("joint", Interval(value, None, None), seeds)
        return
    low, high = effect.interval(LEVEL)
    yield Level("joint", Interval(value, float(low), float(high)), seeds, effect)
