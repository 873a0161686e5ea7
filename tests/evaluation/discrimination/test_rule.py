"""How often the rule says that a metric tells models apart, in simulated studies of metrics that are made up."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.evaluation.discrimination.table import YES, discrimination_rows

STUDIES, IMAGES, ARMS, SEEDS = 300, 285, ("self", "original", "revised", "shuffled"), range(5)
STEPS = ("step-000100", "step-000200", "last")
SEED_SD, ARM_SD, IMAGE_SD, STEP = 0.02, 0.03, 0.25, 0.05
"""Deviations of networks, arms and images, and what a step adds to a true metric."""
DOSES = {"wrong": 0.0, "quarter": 0.25, "half": 0.5, "most": 0.75, "right": 1.0}
METRICS = {name: f"saliency.probe.{name}.corrected" for name in ("extremes", "noise", "true")}
LABELS, SHARES = np.arange(IMAGES) % 12, np.full(IMAGES, 1 / IMAGES)


def runs(design: str) -> Iterator[tuple[str, str, str, int]]:
    """Method, pairs, step and level of the networks of a study, those of one seed each first."""
    yield "untrained", "none", "last", -1
    yield "supervised", "labels", "last", 3
    if design == "steps":
        yield from (("simclr", pairs, step, level) for pairs in ARMS for level, step in enumerate(STEPS))
    elif design == "doses":
        yield from (("simclr", pairs, "last", level) for level, pairs in enumerate(DOSES))
        yield "simclr", "self", "last", 0
    else:
        yield from (("simclr", pairs, "last", 1) for pairs in ARMS)


def study(rng: np.random.Generator, design: str) -> tuple[dict[Any, Any], list[dict[str, Any]]]:
    """Scores of all metrics, and the rows of the summary."""
    scores, rows = {}, []
    arms = dict(zip(ARMS, rng.normal(0, ARM_SD if design == "steps" else 0, len(ARMS)), strict=True))
    for method, pairs, step, level in runs(design):
        for seed in SEEDS if method == "simclr" else (0,):
            run = f"{method}-{pairs}-s{seed}"
            head = {"run": run, "step": step, "method": method, "pairs": pairs, "augmentation": "crop", "seed": seed}
            rows.append(head | {"backbone": "resnet18", "tag": ""})
            means = {"extremes": 0.4 * np.sign(level - 1) * (method != "simclr"), "noise": 0.0}
            means["true"] = STEP * level + arms.get(pairs, 0.0)
            scores[run, step] = dict(series(rng, means))
    return scores, rows


def series(rng: np.random.Generator, means: Mapping[str, float]) -> Iterator[tuple[tuple[str, str], Series]]:
    for name, metric in METRICS.items():
        values = means[name] + rng.normal(0, SEED_SD) + rng.normal(0, IMAGE_SD, IMAGES)
        yield (
            (metric, "masks"),
            Series("masks", metric, metric, values, LABELS, SHARES, None, float(values.mean()), None, None, 0),
        )


@pytest.mark.parametrize("design", ["steps", "doses", "ends"])
def test_a_true_metric_passes_and_noise_and_one_that_sees_only_the_extremes_do_not(design: str) -> None:
    rng, passed = np.random.default_rng([7, len(design)]), dict.fromkeys(METRICS.values(), 0)
    rule = Discrimination(doses=DOSES)
    for _ in range(STUDIES):
        scores, rows = study(rng, design)
        for row in discrimination_rows(scores, rows, "linear_probe.sklearn", rule):
            passed[row["metric"]] += row["verdict"] == YES
    shares = {name: passed[metric] / STUDIES for name, metric in METRICS.items()}
    assert shares["extremes"] <= 0.01 and shares["noise"] <= 0.05
    assert shares["true"] >= 0.8 if design != "ends" else shares["true"] == 0
