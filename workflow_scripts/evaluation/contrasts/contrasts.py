"""Named contrasts between arms, paired by test item for the given seeds, and by seed.

Item level ("image"): both arms are scored on the same items (test images; episodes for few-shot). Each arm's score of
an item is averaged over its seeds first (those that both arms have, else all of each), then the difference is
bootstrapped over items. It is a statement about these trained networks. Seed level ("seed"): each common seed gives one
difference; Student's t over them. It generalises to new trainings, and needs at least three seeds.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import MEAN, StudyScores, mean_metric
from workflow_scripts.stats.intervals import (
    Interval,
    bootstrap_class_means,
    bootstrap_means,
    percentile_interval,
    student_t,
)
from workflow_scripts.stats.seeds import derive

FEWEST_SEEDS = 3
SEED = 0  # of the bootstrap
CONTRASTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("contrast", "method", "augmentation", "dataset", "metric", "level")],
        *[(name, pa.float64()) for name in ("difference", "low", "high")],
        *[("n", pa.int64()), ("step", pa.string()), ("backbone", pa.string()), ("tag", pa.string())],
    ]
)
Row = tuple[dict[str, Any], list[int]]


class Compared(NamedTuple):
    """Two arms on one set: the item difference, its resampled values, a difference per common seed, the files."""

    first: Series
    value: float
    resampled: np.ndarray
    by_seed: np.ndarray
    files: list[int]


def contrast_rows(
    scores: StudyScores, runs: Sequence[SummaryRun], contrasts: Sequence[Contrast], resamples: int
) -> Iterator[Row]:
    """Rows of :data:`CONTRASTS`, each with the indices of the files it came from.

    Within a method, backbone and tag, arms with the same augmentation are compared. Only two arms that share none are
    compared across augmentations, and ``augmentation`` then says so ("crop vs simclr").
    """
    for contrast in contrasts:
        groups = dict.fromkeys((run.method, run.backbone, run.tag) for run in runs)
        for method, backbone, tag in groups:
            members = [run for run in runs if (run.method, run.backbone, run.tag) == (method, backbone, tag)]
            first = [run for run in members if run.pairs == contrast.minuend]
            second = [run for run in members if run.pairs == contrast.subtrahend]
            for augmentation, arms in matched(first, second):
                for step in dict.fromkeys(step for run in arms[0] for step in run.steps):
                    head = {"contrast": contrast.name, "method": method, "augmentation": augmentation}
                    for row, files in _arm_rows(scores, *arms, step, resamples):
                        yield {**head, **row, "step": step, "backbone": backbone, "tag": tag}, files


def matched(
    first: Sequence[SummaryRun], second: Sequence[SummaryRun]
) -> Iterator[tuple[str, tuple[list[SummaryRun], list[SummaryRun]]]]:
    """Pairs of arms to compare, with the label of their augmentation."""
    mine, theirs = ({run.augmentation for run in arm} for arm in (first, second))
    same = sorted(mine & theirs)
    pairs = [(one, one) for one in same] or list(product(sorted(mine), sorted(theirs)))
    for left, right in pairs:
        arms = [run for run in first if run.augmentation == left], [run for run in second if run.augmentation == right]
        yield (left if left == right else f"{left} vs {right}"), arms


def _arm_rows(
    scores: StudyScores, first: list[SummaryRun], second: list[SummaryRun], step: str, resamples: int
) -> Iterator[Row]:
    tables = [{run.seed: scores.series.get((run.run, step), {}) for run in arm} for arm in (first, second)]
    tables = [{seed: table for seed, table in arm.items() if table} for arm in tables]
    if not all(tables):
        return
    shared = set.intersection(*(set(table) for arm in tables for table in arm.values()))
    order = [place for place in next(iter(tables[0].values())) if place in shared]
    families: dict[str, list[Compared]] = {}
    for place in order:
        arms = [{seed: table[place] for seed, table in arm.items()} for arm in tables]
        compared = compare(arms[0], arms[1], resamples)
        families.setdefault(place[0], []).append(compared)
        one = compared.first
        yield from _level_rows(compared, one.dataset, one.metric, len(one.values))
    for members in families.values():
        if len(members) > 1:
            items = sum(len(one.first.values) for one in members)
            yield from _level_rows(pooled(members), MEAN, mean_metric([m.first for m in members]), items)


def compare(first: dict[int, Series], second: dict[int, Series], resamples: int) -> Compared:
    """Two arms, seed -> series, on one set, with ``resamples`` resamples of its items."""
    common = sorted(first.keys() & second.keys())
    mine, theirs = ([arm[seed] for seed in common or sorted(arm)] for arm in (first, second))
    difference = _item_means(mine) - _item_means(theirs)
    one = mine[0]
    seed = derive(SEED, "contrast", one.dataset, one.family)
    column = difference[:, None]
    if one.labels is None:
        resampled = bootstrap_means(column, resamples, seed)[:, 0]
    else:
        resampled = bootstrap_class_means(column, one.labels, resamples, seed)[:, 0]
    by_seed = np.array([first[seed].value - second[seed].value for seed in common])
    files = sorted({series.file for series in (*mine, *theirs)})
    return Compared(one, one.average(difference), resampled, by_seed, files)


def pooled(members: Sequence[Compared]) -> Compared:
    """The unweighted mean over datasets, whose items were resampled independently."""
    files = sorted({file for one in members for file in one.files})
    value = float(np.mean([one.value for one in members]))
    resampled = np.mean([one.resampled for one in members], axis=0)
    return Compared(members[0].first, value, resampled, np.mean([one.by_seed for one in members], axis=0), files)


def _item_means(arm: Sequence[Series]) -> np.ndarray:
    return np.asarray(np.mean([one.values for one in arm], axis=0, dtype=np.float64))


def _level_rows(compared: Compared, dataset: str, metric: str, items: int) -> Iterator[Row]:
    found: list[tuple[str, Interval, int]] = []
    by_item = percentile_interval(compared.value, compared.resampled)
    found.append(("image", by_item if items > 1 else Interval(compared.value, None, None), items))
    if len(compared.by_seed):
        by_seed = student_t(compared.by_seed, fewest=FEWEST_SEEDS)
        found.append(("seed", by_seed, len(compared.by_seed)))
    for level, interval, n in found:
        row = {"dataset": dataset, "metric": metric, "level": level, "difference": interval.value}
        yield {**row, "low": interval.low, "high": interval.high, "n": n}, compared.files
