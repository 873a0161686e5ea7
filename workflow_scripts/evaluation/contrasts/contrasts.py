"""The table of contrasts: every comparison on every set and over sets, at each level, with p-values.

Primary ones have a verdict for their endpoint; all others are exploratory.

Weighted differences are measured by image, class, episode and seed. The levels of their intervals are

- ``episode``: other few-shot episodes from the same images (Student's t over episodes).
- ``image``: other images and classes for these networks (bootstrap of classes, then images).
- ``seed``: other trainings, on the same images (Student's t over seeds).
- ``joint``: other trainings and other images and classes (:mod:`workflow_scripts.stats.random_effects`).
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from workflow_scripts.core.declaration.result_names import MEAN, MEAN_LARGER, MEAN_SMALL, PROBE
from workflow_scripts.evaluation.contrasts.class_names import class_keys
from workflow_scripts.evaluation.contrasts.comparisons import (
    Comparison,
    Kind,
    Side,
    arm_weights,
    checkpoints,
    common_seeds,
    judged,
    planned,
)
from workflow_scripts.evaluation.contrasts.endpoints import Endpoint
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import StudyScores, comparable, mean_metric
from workflow_scripts.evaluation.contrasts.verdicts import ALPHA, INCONCLUSIVE, Verdict, agreed, exploratory, verdict
from workflow_scripts.evaluation.saliency.maps.kinds import is_compared
from workflow_scripts.stats.intervals import LEVEL, Interval, percentile_interval, student_t
from workflow_scripts.stats.moderation import FEWEST_ARMS, moderated, seed_part
from workflow_scripts.stats.nested import nested_means
from workflow_scripts.stats.random_effects import FEWEST_SEEDS, Effect, Part, holm, two_way
from workflow_scripts.stats.seeds import derive

Cell = tuple[str, str]  # family of a metric, and dataset: what a difference is measured on
SEED = 0  # of the bootstrap
CONTRASTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("contrast", "method", "augmentation", "dataset", "metric", "level")],
        *[(name, pa.float64()) for name in ("difference", "low", "high")],
        ("n", pa.int64()),
        *[(name, pa.string()) for name in ("step", "backbone", "tag")],
        *[(name, pa.float64()) for name in ("p", "p_adjusted", "detectable")],
        ("expected", pa.int8()),
        *[(name, pa.string()) for name in ("unequal", "verdict", "reason", "plus", "minus", "chosen_on", "primary")],
        ("arms", pa.int64()),
    ]
)
Row = tuple[dict[str, Any], list[int]]


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
        classes: what the classes are called in all sets.
    """

    sides: tuple[Side, ...]
    like: Series
    by_image: np.ndarray
    by_episode: np.ndarray | None
    by_class: np.ndarray
    files: list[int]
    classes: list[str]

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


def measure(comparison: Comparison, scores: StudyScores) -> Iterator[tuple[Cell, Measured]]:
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
    for cell in tables[0]:
        if is_compared(cell[0]) and all(cell in table for table in tables):
            yield cell, _measured(sides, seeds, scores, cell)


def _measured(sides: Sequence[Side], seeds: Sequence[int], scores: StudyScores, cell: Cell) -> Measured:
    def weighed(part: Callable[[Series], np.ndarray], seed: int | None) -> np.ndarray:
        """The weighted sum of each term's mean, over its runs with this seed."""
        return np.sum(
            [side.weight * np.mean([part(series) for series in of_runs(side, seed)], axis=0) for side in sides], axis=0
        )

    def of_runs(side: Side, seed: int | None) -> list[Series]:
        return [scores.series[run.run, side.step][cell] for run in side.runs if seed in (None, run.seed)]

    def mean(part: Callable[[Series], np.ndarray]) -> np.ndarray:
        return np.asarray(np.mean([weighed(part, seed) for seed in seeds or (None,)], axis=0))

    like = of_runs(sides[0], None)[0]
    by_image = mean(lambda series: series.values.astype(np.float64))
    by_episode = None if like.episodes is None else mean(lambda series: np.asarray(series.episodes))
    by_class = np.array([weighed(lambda series: series.by_class, seed) for seed in seeds])
    by_class = by_class.reshape(len(seeds), len(like.class_shares))
    files = sorted({series.file for side in sides for series in of_runs(side, None)})
    classes = class_keys(like.dataset, scores.classes.get(like.dataset, ()), np.unique(like.labels).tolist())
    return Measured(tuple(sides), like, by_image, by_episode, by_class, files, classes)


def levels(members: Sequence[Measured], resampled: np.ndarray, seed: Part | None) -> Iterator[Level]:
    """Intervals of one set, or of the mean over several.

    Args:
        resampled: (b,) the difference in resamples of classes and images, averaged over sets.
        seed: the moderated variance over seeds; None: that of these seeds alone.
    """
    value = float(np.mean([member.value for member in members]))
    episodes = [member.by_episode for member in members if member.by_episode is not None]
    if len(episodes) == len(members):
        yield Level("episode", student_t(np.mean(episodes, axis=0)), sum(map(len, episodes)))
    images = sum(len(member.by_image) for member in members)
    yield Level("image", percentile_interval(value, resampled) if images > 1 else Interval(value, None, None), images)
    seeds = len(members[0].by_class)
    if seeds:
        by_seed = np.mean([member.by_class @ member.like.class_shares for member in members], axis=0)
        yield Level("seed", student_t(by_seed, fewest=FEWEST_SEEDS), seeds)
    if seeds >= FEWEST_SEEDS and all(member.by_class.shape[1] > 1 for member in members):
        tables, shares = [member.by_class for member in members], [member.like.class_shares for member in members]
        effect = two_way(tables, shares, [member.classes for member in members], seed)
        if effect.variance > 0:  # nor nan; it is 0 if all networks predict the same
            low, high = effect.interval(LEVEL)
            yield Level("joint", Interval(value, float(low), float(high)), seeds, effect)
            return
    yield Level("joint", Interval(value, None, None), seeds)


class Arms:
    """Variances between seeds of comparisons, from all arms of a study: runs that differ in their seed alone."""

    def __init__(self, scores: StudyScores, runs: Sequence[SummaryRun]) -> None:
        self._scores = scores
        self._trained = [run for run in runs if run.batch_size]
        self._of = cache(self._moderated)

    def seed_part(
        self, sides: Sequence[Side], family: str, datasets: Sequence[str], seeds: int
    ) -> tuple[Part | None, int]:
        """The moderated seed part of a comparison of a metric's mean over datasets, and of how many arms it is.

        None, of 0 arms, with too few of them; or if the comparison is between steps, whose scores depend on one
        another, or with a network that is not trained and varies less.
        """
        weights = arm_weights(sides)
        steps = {side.step for side in sides}
        found = self._of(family, tuple(datasets), steps.pop()) if len(steps) == 1 else None
        if found is None or not weights.keys() <= set(found[0]):
            return None, 0
        kinds, variances, freedom = found
        of_arms = np.array([weights.get(kind, 0.0) for kind in kinds])
        return seed_part(variances, of_arms, seeds, freedom), len(kinds)

    def _moderated(self, family: str, datasets: tuple[str, ...], step: str) -> tuple[list[Kind], Part, float] | None:
        """The arms by what their runs have in common, their variances of one score, and the freedom of all."""
        by_arm: dict[Kind, list[float]] = {}
        for run in self._trained:
            table = self._scores.series.get((run.run, step), {})
            if all((family, name) in table for name in datasets):
                one = [table[family, name] for name in datasets]
                score = float(np.mean([series.by_class @ series.class_shares for series in one]))
                by_arm.setdefault(run.kind, []).append(score)
        arms = {kind: values for kind, values in by_arm.items() if len(values) >= FEWEST_SEEDS}
        variances = np.array([np.var(values, ddof=1) for values in arms.values()])
        if len(arms) < FEWEST_ARMS or not variances.all():
            return None
        freedom = np.array([len(values) - 1.0 for values in arms.values()])
        return list(arms), moderated(variances, freedom), float(freedom.sum())


@dataclass
class _Line:
    """A comparison on one set, or over sets; what the last level says is filled in family by family.

    Attributes:
        sides: the terms, with those of their runs that are used.
        classes: number of classes; infinite where the interval is not over classes.
        arms: how many arms its variance over seeds is moderated by.
        primary: why it has a verdict, as a comparison has it: it is of the endpoint; empty for others.
        reason: why it can't be conclusive, other than by rule.
    """

    comparison: Comparison
    family: str
    dataset: str
    metric: str
    files: list[int]
    sides: tuple[Side, ...]
    classes: float
    levels: list[Level]
    arms: int = 0
    primary: str = ""
    reason: str = ""
    tested: dict[str, float | None] = field(default_factory=dict)
    verdict: Verdict | None = None


def contrast_rows(
    scores: StudyScores,
    runs: Sequence[SummaryRun],
    listed: Sequence[Contrast],
    resamples: int,
    usual: Sequence[Contrast] = (),
    small: Collection[str] = (),
    endpoints: Iterable[tuple[Contrast, Endpoint]] = (),
) -> Iterator[Row]:
    """Rows of :data:`CONTRASTS`, each with the indices of the files it came from.

    p-values, the smallest detectable effect and the verdict stand in the rows of level ``joint`` (of endpoints without
    runs, in their only row), and so do the checkpoints (``<run>.<step>``, separated by spaces) whose scores are added
    and subtracted. ``chosen_on`` names the reported set that chose one of them. ``arms`` counts the arms that moderate
    the variance over seeds. Means are over the sets of
    :func:`~workflow_scripts.evaluation.contrasts.study_scores.comparable`.

    Args:
        listed: the contrasts of the config.
        usual: standard ones; a listed one can replace them.
        small: datasets of small images, which have a mean of their own besides.
        endpoints: of the listed contrasts that compare no runs.
    """
    primary, how = judged(listed)
    others = [_of_endpoint(contrast, found, how if contrast in primary else "") for contrast, found in endpoints]
    measured = [(comparison, dict(measure(comparison, scores))) for comparison in planned(listed, usual, runs)]
    resampled = _resampled([cells for _, cells in measured], resamples)
    lines = [*others, *_lines(measured, resampled, Arms(scores, runs), small)]
    _test(lines)
    for line in lines:
        yield from _rows(line)


def _of_endpoint(contrast: Contrast, found: Endpoint, primary: str) -> _Line:
    """The line of a contrast that compares no runs."""
    comparison = Comparison(contrast, primary, found.sides, "", "", "", "", "", (), ())
    ends = (None, None) if found.effect is None else tuple(map(float, found.effect.interval(LEVEL)))
    level = Level(found.level, Interval(found.value, *ends), found.n, found.effect)
    head = comparison, found.metric, "", found.metric, found.files, found.sides, math.inf
    return _Line(*head, [level], primary=primary, reason=found.reason)


def _resampled(measured: Sequence[dict[Cell, Measured]], resamples: int) -> list[dict[Cell, np.ndarray]]:
    """Differences (b,) in resamples of classes and images, in the order of ``measured``; a set is resampled once."""
    groups: dict[tuple[str, str], list[tuple[int, Cell]]] = {}
    for number, cells in enumerate(measured):
        for family, dataset in cells:
            groups.setdefault((family.partition(".")[0], dataset), []).append((number, (family, dataset)))
    resampled: list[dict[Cell, np.ndarray]] = [{} for _ in measured]
    for (kind, dataset), members in groups.items():
        series = measured[members[0][0]][members[0][1]].like
        columns = np.column_stack([measured[number][cell].by_image for number, cell in members])
        seed = derive(SEED, "contrast", kind, dataset)
        means = nested_means(columns, series.labels, series.shares, resamples, seed)
        for (number, cell), column in zip(members, means.T, strict=True):
            resampled[number][cell] = column
    return resampled


def _lines(
    measured: Sequence[tuple[Comparison, dict[Cell, Measured]]],
    resampled: Sequence[dict[Cell, np.ndarray]],
    arms: Arms,
    small: Collection[str],
) -> list[_Line]:
    """A line for each set and, where a metric was measured on several, for their mean, also by size of their images."""
    lines = []
    for (comparison, cells), drawn in zip(measured, resampled, strict=True):
        families: dict[str, list[str]] = {}
        for family, dataset in cells:
            families.setdefault(family, []).append(dataset)
        among = {(family, dataset): [dataset] for family, dataset in cells}
        for family, datasets in families.items():
            fair = comparable([cells[family, dataset].like for dataset in datasets], comparison.chosen_on)
            if len(datasets) > 1 and fair:
                among[family, MEAN] = [series.dataset for series in fair]
                for name, of_small in ((MEAN_SMALL, True), (MEAN_LARGER, False)):
                    part = [dataset for dataset in among[family, MEAN] if (dataset in small) == of_small]
                    among |= {(family, name): part} if 0 < len(part) < len(fair) else {}
        for (family, dataset), datasets in among.items():
            members = [cells[family, name] for name in datasets]
            sides, seeds = members[0].sides, len(members[0].by_class)
            seed, of_arms = arms.seed_part(sides, family, datasets, seeds)
            found = list(levels(members, np.mean([drawn[family, name] for name in datasets], axis=0), seed))
            at_endpoint = f"{family}.".startswith(f"{comparison.contrast.endpoint}.")
            judged = at_endpoint and (dataset == MEAN or len(families[family]) == 1)
            primary = comparison.primary if judged else ""
            files = sorted({file for member in members for file in member.files})
            classes = len({name for member in members for name in member.classes})
            head = comparison, family, dataset, mean_metric([member.like for member in members]), files
            lines.append(_Line(*head, sides, classes, found, of_arms, primary))
    return lines


def _test(lines: Sequence[_Line]) -> None:
    """Fill in p-values, detectable effects and verdicts.

    The primary lines are one family under each objective of the linear probe, with the lines of all other endpoints in
    each of these. Exploratory families are metric, set and step.
    """
    families: dict[tuple[str, ...], list[_Line]] = {}
    primary = [line for line in lines if line.primary]
    for line in lines:
        if not line.primary:
            families.setdefault((line.family, line.dataset, line.comparison.step), []).append(line)
    for objective in dict.fromkeys(line.family for line in primary if _is_probe(line)) or [""]:
        families[objective,] = [line for line in primary if line.family == objective or not _is_probe(line)]
    for family in families.values():
        _adjust(family)
    for line in lines:
        if not line.primary:
            line.verdict = exploratory(_verdict(line))
    for comparison in dict.fromkeys(id(line.comparison) for line in primary):
        members = [line for line in primary if id(line.comparison) == comparison]
        found = [_verdict(line) for line in members]
        joint = agreed(found) if _is_probe(members[0]) else found[0]
        for line in members:
            line.verdict = joint._replace(reason="; ".join(filter(None, (joint.reason, _collapsed(line)))))


def _is_probe(line: _Line) -> bool:
    return line.family.startswith(PROBE)


def _adjust(family: Sequence[_Line]) -> None:
    """Fill in the p-values of a family; of a line in several families, the largest adjusted one is kept."""
    tested = [(line, level.effect) for line in family for level in line.levels if level.effect is not None]
    least = [line.comparison.contrast.least for line, _ in tested]
    p = np.array([
        effect.p_value() if margin is None else effect.p_equivalent(margin)
        for (_, effect), margin in zip(tested, least, strict=True)
    ])  # fmt: skip
    for (line, effect), raw, adjusted in zip(tested, p, holm(p) if len(p) else p, strict=True):
        smallest = float(effect.detectable(len(p), ALPHA)) if line.comparison.contrast.margin is None else np.inf
        adjusted = max(float(adjusted), line.tested.get("p_adjusted") or 0.0)
        detectable = smallest if np.isfinite(smallest) else None
        line.tested = {"p": float(raw), "p_adjusted": adjusted, "detectable": detectable}


def _verdict(line: _Line) -> Verdict:
    if line.reason:
        return Verdict(INCONCLUSIVE, line.reason)
    comparison, difference = line.comparison, line.levels[0].interval.value
    expected = None if comparison.contrast.margin is not None else difference * comparison.contrast.expected > 0
    p, chosen_here = line.tested.get("p_adjusted"), line.dataset in comparison.chosen_on
    return verdict(expected, p, comparison.unequal, line.classes, chosen_here)


def _collapsed(line: _Line) -> str:
    """What a verdict says of runs that it rests on."""
    runs = [run.run for side in line.sides for run in side.runs if run.collapsed]
    return f"rests on runs that look collapsed: {', '.join(dict.fromkeys(runs))}" if runs else ""


def _rows(line: _Line) -> Iterator[Row]:
    comparison = line.comparison
    head = {**comparison.labels(), "dataset": line.dataset, "metric": line.metric}
    facts = {"expected": comparison.contrast.expected, "unequal": ", ".join(comparison.unequal)}
    facts |= {"chosen_on": ", ".join(comparison.chosen_on), "primary": line.primary}
    for level in line.levels:
        value, low, high = (None if end is None or math.isnan(end) else end for end in level.interval)
        row = {**head, **facts, "level": level.name, "difference": value, "low": low, "high": high, "n": level.n}
        if level is line.levels[-1] and line.verdict is not None:
            row |= {**line.tested, **line.verdict._asdict(), **checkpoints(line.sides), "arms": line.arms}
        yield row, line.files
