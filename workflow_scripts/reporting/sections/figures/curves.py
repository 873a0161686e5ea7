"""Training curves of each method, as mean and range over seeds; what each run trains on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.reporting.drawings import Axis, Curve, curve_figure
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.methods import TITLES
from workflow_scripts.reporting.study import Number, Study, unit_of
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.text import arm_class, count, words

Row = dict[str, Any]
KIND = ("pairs", "augmentation", "tag", "backbone")
COLUMNS = {"loss": ("loss", "loss", 1), "knn_accuracy": ("online kNN", "accuracy, %", 100)}
STATISTICS = {
    "rankme": ("RankMe", "dimensions", 1),
    "spread": ("spread", "spread", 1),
    "alignment": ("alignment", "squared distance", 1),
    "uniformity": ("uniformity", "log of a mean", 1),
    "norm": ("norm of features", "norm", 1),
}
"""Column of a training curve -> title, unit and scale of its figure."""
PAIR_FACTS = {
    "self_pairs": "paired with themselves",
    "partners_elsewhere": "pairs whose partner is not one of them",
    "without_score": "images without a score (weight 1)",
    "target_temperature": "temperature of targets",
    "target_perplexity": "perplexity of targets",
}


@dataclass(frozen=True)
class Trained:
    """Runs that differ in their seed: what tells them from the method's other runs, colour, and a curve of each."""

    label: str
    css: str
    seeds: Sequence[Sequence[Row]]


def curves(study: Study) -> Row:
    """Loss, online kNN accuracy and statistics of features per method."""
    trained = _trained(study)
    return {
        "banded": any(len(kind.seeds) > 1 for kinds in trained.values() for kind in kinds),
        "figures": figures(trained, COLUMNS),
        "statistics": figures(trained, STATISTICS),
        "collapsed": _collapsed(study),
        "trained_on": _trained_on(study),
    }


def figures(trained: Mapping[str, Sequence[Trained]], columns: Mapping[str, tuple[str, str, int]]) -> list[Figure]:
    """A figure of each method and column, without those that have no value."""
    found = []
    for method, kinds in trained.items():
        names = ", ".join(kind.label for kind in kinds)
        bands = "; bands from the lowest to the highest seed" if any(len(kind.seeds) > 1 for kind in kinds) else ""
        for column, (title, unit, scale) in columns.items():
            alt = f"{title} of {method} over the steps of training: {names}{bands}."
            drawn = [over_seeds(kind, column, scale) for kind in kinds]
            name = stem(f"curve {method} {title.lower()}")
            found.append(curve_figure(name, f"{TITLES.get(method, method)}: {title}", alt, Axis("step", unit), drawn))
    return [figure for figure in found if figure is not None]


def over_seeds(kind: Trained, column: str, scale: float = 1) -> Curve:
    """Mean and range over the seeds that have a finite value at a step."""
    values: dict[float, list[float]] = {}
    for rows in kind.seeds:
        for row in rows:
            if row.get(column) is not None and math.isfinite(row[column]):
                values.setdefault(float(row["step"]), []).append(scale * float(row[column]))
    steps = sorted(values)
    mean = [math.fsum(values[step]) / len(values[step]) for step in steps]
    if len(kind.seeds) == 1:
        return Curve(kind.label, kind.css, steps, mean)
    low, high = ([end(values[step]) for step in steps] for end in (min, max))
    return Curve(kind.label, kind.css, steps, mean, low, high)


def _trained(study: Study) -> dict[str, list[Trained]]:
    """Method -> its kinds of runs that have a curve, in the order of their first run."""
    found: dict[str, dict[str, list[tuple[str, list[Row]]]]] = {}
    for artifact in study.all("runs"):
        if rows := study.table(artifact, "/curve.parquet"):
            run = unit_of(artifact, "run")
            about = study.runs.get(run)
            kind = run.rpartition("-s")[0] if about is None else " ".join(str(about[name]) for name in KIND)
            found.setdefault(study.method_and_pairs(run)[0], {}).setdefault(kind, []).append((run, rows))
    return {method: _labelled(study, list(kinds.values())) for method, kinds in found.items()}


def _labelled(study: Study, kinds: Sequence[Sequence[tuple[str, list[Row]]]]) -> list[Trained]:
    labels = study.labels([kind[0][0] for kind in kinds], KIND)
    return [
        Trained(labels[run] if len(kinds) > 1 else pairs, arm_class(pairs), [rows for _, rows in kind])
        for kind in kinds
        for run, pairs in [(kind[0][0], study.method_and_pairs(kind[0][0])[1])]
    ]


def _collapsed(study: Study) -> list[tuple[str, str, Number]]:
    """Runs whose features look collapsed: run, colour, first such step."""
    found = []
    for artifact in study.all("runs"):
        step = study.json(artifact, "/run.json").get("collapsed_step")
        if step is not None:
            run = unit_of(artifact, "run")
            number = Number(count(step), source=study.source(artifact, "/run.json"), rows="collapsed_step")
            found.append((run, study.css(run), number))
    return found


def _fact(value: float) -> str:
    """A count, or a number with four significant digits."""
    return count(value) if isinstance(value, int) else f"{value:.4g}"


def _trained_on(study: Study) -> Row:
    """Of each trained run: images of an epoch, those left out by reason, and facts about pairs and targets."""
    trained = [(one, study.json(one, "/run.json")) for one in study.all("runs") if one.rows]
    shown = [name for name in PAIR_FACTS if any(name in about for _, about in trained)]
    lines = []
    for artifact, about in trained:
        run, manifest, file = unit_of(artifact, "run"), study.manifest(artifact), study.source(artifact, "/run.json")
        dropped = artifact.rows["dropped"].items()
        cells = [Number(_fact(about[name]), source=file, rows=name) if name in about else Number("—") for name in shown]
        lines.append(
            {
                "run": run,
                "css": study.css(run),
                "images": Number(count(artifact.rows["out"]), source=manifest, rows="rows out"),
                "left_out": [(words(name), Number(count(n), source=manifest, rows=name)) for name, n in dropped],
                "cells": cells,
            }
        )
    return {"columns": [PAIR_FACTS[name] for name in shown], "lines": lines}
