"""Scores of a made-up study, straight from tables of class means: one image per class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.evaluation.study import run
from workflow_scripts.evaluation.contrasts.contrasts import contrast_rows
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import StudyScores

OBJECTIVES = ("linear_probe.sklearn", "linear_probe.lgssl")
Tables = Mapping[tuple[str, str], np.ndarray]
"""(metric's family, dataset) -> class means (C,)."""


def arm(pairs: str, seeds: int = 3, method: str = "simclr", **more: Any) -> list[SummaryRun]:
    """The trained runs of an arm."""
    trained = {"batch_size": 8, "trained_steps": 10, "views_per_pair": 2, "role": "language", **more}
    return [SummaryRun.model_validate({**run(method, pairs, "crop", seed), **trained}) for seed in range(seeds)]


def series(family: str, dataset: str, values: np.ndarray) -> Series:
    """A score with one image per class."""
    labels, shares = np.arange(len(values), dtype=np.int32), np.full(len(values), 1 / len(values))
    head = (dataset, f"{family}.accuracy", family, values, labels, shares, None)
    found = Series(*head, float(values.mean()), None, None, 0)
    vars(found).update(by_class=values, class_shares=shares)  # as they would be computed, which takes long
    return found


def study_scores(tables: Mapping[tuple[str, str], Tables], classes: Mapping[str, Sequence[str]] | None = None) -> Any:
    """The scores of checkpoints (run, step)."""
    of = {checkpoint: {key: series(*key, one) for key, one in own.items()} for checkpoint, own in tables.items()}
    return StudyScores(of, [], classes={name: list(names) for name, names in (classes or {}).items()})


def drawn(
    runs: Sequence[SummaryRun],
    rng: np.random.Generator,
    effects: Mapping[str, float] | None = None,
    families: Sequence[str] = OBJECTIVES,
    sets: Mapping[str, int] | None = None,
    sd: float = 0.01,
) -> dict[tuple[str, str], dict[tuple[str, str], np.ndarray]]:
    """Class means of each run's checkpoints: by pairs an effect, by run a deviation, and noise by class."""
    found = {}
    for one in runs:
        own = 0.5 + (effects or {}).get(one.pairs, 0.0) + rng.normal(0, sd)
        for step in one.steps:
            found[one.run, step] = {
                (family, name): own + rng.normal(0, 0.02, classes)
                for name, classes in (sets or {"one": 20, "two": 12}).items()
                for family in families
            }
    return found


def judged(runs: Sequence[SummaryRun], scores: StudyScores, *listed: Contrast) -> list[dict[str, Any]]:
    """The joint rows of a study."""
    return [row for row, _ in contrast_rows(scores, runs, listed, 100) if row["level"] == "joint"]
