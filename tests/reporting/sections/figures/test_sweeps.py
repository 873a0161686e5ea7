"""Figures of sweeps: one curve for each combination of what else varies."""

import math
from types import SimpleNamespace
from typing import Any, cast

from matplotlib.figure import Figure as Canvas

from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.figures.sweeps import Point, figure, sweeps
from workflow_scripts.reporting.sections.headline import Estimate
from workflow_scripts.reporting.settings import Report, Swept
from workflow_scripts.reporting.study import Study


def point(value: float, pairs: str = "revised", kind: str = "seeds", **values: Any) -> Point:
    estimate = Estimate(value, value - 0.1, value + 0.1, kind)
    return Point(("simclr", pairs, "crop", "", ""), values, {"probe": estimate, "knn": None})


def axes_of(made: Figure | None) -> Any:
    assert made is not None
    canvas = Canvas()
    made.draw(canvas)
    return canvas.axes[0]


def test_a_sweep_over_a_wide_range_has_a_logarithmic_axis() -> None:
    points = [point(0.5, lr=1e-2), point(0.25, lr=1e-4), point(0.75, pairs="self", kind="test items", lr=1e-4)]
    made = figure(["lr"], points, "probe")
    assert made is not None and made.name == "sweep-lr-probe"
    assert [row[:3] for row in made.rows] == [("revised", 1e-4, 25.0), ("revised", 1e-2, 50.0), ("self", 1e-4, 75.0)]
    low, high = made.rows[0][3:]
    assert isinstance(low, float) and isinstance(high, float)
    assert (round(low, 9), round(high, 9)) == (15.0, 35.0) and made.rows[2][3:] == (None, None)
    assert axes_of(made).get_xscale() == "log"
    assert axes_of(figure(["lr"], [point(0.5, lr=1.0), point(0.5, lr=20.0)], "probe")).get_xscale() == "linear"


def test_the_other_setting_labels_the_curves() -> None:
    points = [point(0.5, steps=steps, lr=lr) for steps in (10, 20, 30) for lr in (0.1, 0.2)]
    made = figure(["lr", "steps"], points, "probe")
    assert made is not None and {row[0] for row in made.rows} == {"lr 0.1", "lr 0.2"}
    assert made.columns[1] == "steps"


def test_values_that_are_no_numbers_are_evenly_spaced() -> None:
    axes = axes_of(figure(["optimizer"], [point(0.5, optimizer="sgd"), point(0.6, optimizer=None)], "probe"))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["sgd", "None"]
    assert [float(at) for at in axes.get_xticks()] == [0.0, 1.0]


def test_without_scores_or_a_second_value_there_is_no_figure() -> None:
    points = [point(0.5, lr=0.1), point(0.5, lr=0.2)]
    assert figure(["lr"], points, "knn") is None and figure(["lr"], points[:1], "probe") is None


def test_an_interval_that_is_not_over_seeds_leaves_a_gap() -> None:
    made = figure(["lr"], [point(0.5, lr=0.1), point(0.5, kind="reference", lr=0.2)], "probe")
    assert made is not None and math.isnan(made.rows[1][3])  # type: ignore[arg-type]
    assert made.files()["csv"].decode().splitlines()[2] == "revised,0.2,50.0,,"


def test_runs_of_a_sweep_are_averaged_over_their_seeds() -> None:
    parts = {"method": "simclr", "pairs": "self", "augmentation": "crop", "backbone": "resnet50", "step": "last"}
    measured = {"dataset": "pets", "metric": "knn.accuracy", "low": None, "high": None, "n": 9, "chosen_on": ""}
    length = {"trained_steps": 10, "epochs": 1.0}
    rows = [
        {
            **parts,
            **measured,
            **length,
            "run": f"lr-{lr}-s{seed}",
            "tag": f"lr-{lr}",
            "seed": seed,
            "value": lr + seed / 10,
        }
        for lr in (0.1, 0.2)
        for seed in range(3)
    ]
    swept = {row["run"]: Swept(values={"lr": float(row["tag"][3:])}) for row in rows}
    study = SimpleNamespace(
        one=lambda _: "summary", table=lambda _: rows, runs={row["run"]: row for row in rows},
        settings=Report(study="s", sweeps=swept),
    )  # fmt: skip
    (made,) = sweeps(cast(Study, study))
    assert made.name == "sweep-lr-knn" and [row[:2] for row in made.rows] == [("self", 0.1), ("self", 0.2)]
    assert [round(float(row[2] or 0), 9) for row in made.rows] == [20.0, 30.0]
    assert all(row[3] is not None and row[3] < row[2] < row[4] for row in made.rows)  # type: ignore[operator]
    study.settings = Report(study="s")
    assert sweeps(cast(Study, study)) == []
