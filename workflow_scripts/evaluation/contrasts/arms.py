"""The variance between seeds of a comparison, from the arms of a study: runs that differ in their seed alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workflow_scripts.evaluation.contrasts.comparisons import Kind, Side, arm_weights
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import StudyScores
from workflow_scripts.stats.moderation import FEWEST_ARMS, moderated, seed_part
from workflow_scripts.stats.random_effects import FEWEST_SEEDS, Part


class _Moderated(NamedTuple):
    """The arms of a study, by what their runs have in common, with their variances of one score."""

    kinds: list[Kind]
    variances: Part
    freedom: float


class Arms:
    """Scores of the trained runs of a study, by arm."""

    def __init__(self, scores: StudyScores, runs: Sequence[SummaryRun]) -> None:
        self._scores = scores
        self._trained = [run for run in runs if run.batch_size]
        self._known: dict[tuple[str, tuple[str, ...], str], _Moderated | None] = {}

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
        if found is None or not weights.keys() <= set(found.kinds):
            return None, 0
        of_arms = np.array([weights.get(kind, 0.0) for kind in found.kinds])
        return seed_part(found.variances, of_arms, seeds, found.freedom), len(found.kinds)

    def _of(self, family: str, datasets: tuple[str, ...], step: str) -> _Moderated | None:
        key = family, datasets, step
        if key not in self._known:
            self._known[key] = self._moderated(*key)
        return self._known[key]

    def _moderated(self, family: str, datasets: tuple[str, ...], step: str) -> _Moderated | None:
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
        return _Moderated(list(arms), moderated(variances, freedom), float(freedom.sum()))
