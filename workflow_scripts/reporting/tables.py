"""Accuracy tables with intervals, and training curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from workflow_scripts.reporting.charts import Line, lines
from workflow_scripts.reporting.colours import arm_class
from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.text import percent, plain, words

Row = dict[str, Any]
# Column of a training curve -> title of its chart.
STATISTICS = {
    "rankme": "RankMe",
    "spread": "spread",
    "alignment": "alignment",
    "uniformity": "uniformity",
    "norm": "norm of features",
}


@dataclass(frozen=True)
class Measured:
    """The rows of one run and step, and by dataset the file that they stand in."""

    run: str
    pairs: str
    step: str
    rows: Sequence[Row]
    sources: Mapping[str, Source]


@dataclass(frozen=True)
class TableLine:
    """A line of a table: who (run, or floor), colour class, step, cells."""

    name: str
    css: str
    step: str
    cells: list[Number]


@dataclass(frozen=True)
class Table:
    """A table as the page shows it: caption, column heads, lines."""

    title: str
    columns: list[str]
    lines: list[TableLine]


def cell(row: Row | None, source: Source | None, rows: str) -> Number:
    """Value and interval in per cent, or unchanged if they are outside 0..1 (a score that is not a share)."""
    if row is None or row["value"] is None or not math.isfinite(row["value"]):
        return Number("—")
    low, high = row.get("low"), row.get("high")
    show = percent if -1.0 <= row["value"] <= 1.0 else plain
    interval = "" if low is None or high is None else f"{show(low)}–{show(high)}"
    return Number(show(row["value"]), interval, source, f"{rows}, n = {row['n']}" if row.get("n") else rows)


def by_dataset(measured: Sequence[Measured], title: str) -> Table:
    """One line per run and step, one column per dataset; rows need dataset, value, low, high, n, metric."""
    datasets = list(dict.fromkeys(row["dataset"] for item in measured for row in item.rows))
    metrics = {row["dataset"]: words(row["metric"]) for item in measured for row in item.rows}
    out = []
    for item in measured:
        found = {row["dataset"]: row for row in item.rows}
        cells = [cell(found.get(name), item.sources.get(name), f"dataset {name}") for name in datasets]
        out.append(TableLine(item.run, arm_class(item.pairs), item.step, cells))
    return Table(title, [f"{name} ({metrics[name]})" for name in datasets], out)


def statistics_tables(measured: Sequence[Measured]) -> list[Table]:
    """A table per dataset, with a column per statistic; rows need dataset, metric, value, n."""
    out = []
    for dataset in dict.fromkeys(row["dataset"] for item in measured for row in item.rows):
        found = [{row["metric"]: row for row in item.rows if row["dataset"] == dataset} for item in measured]
        metrics = list(dict.fromkeys(metric for rows in found for metric in rows))
        shown = []
        for item, rows in zip(measured, found, strict=True):
            cells = [_statistic(rows.get(metric), item.sources.get(dataset)) for metric in metrics]
            shown.append(TableLine(item.run, arm_class(item.pairs), item.step, cells))
        out.append(Table(dataset, [words(metric) for metric in metrics], shown))
    return out


def _statistic(row: Row | None, source: Source | None) -> Number:
    if row is None:
        return Number("—")
    return Number(f"{row['value']:.3g}".replace("-", "−"), source=source, rows=f"{row['metric']}, n = {row['n']}")


def probe_tables(measured: Sequence[Measured]) -> list[Table]:
    """A table per probe objective."""
    objectives = sorted({row["objective"] for item in measured for row in item.rows})
    return [
        by_dataset([_only(item, "objective", name) for item in measured], f"Linear probe, objective {words(name)}")
        for name in objectives
    ]


def _only(item: Measured, column: str, value: str) -> Measured:
    return replace(item, rows=[row for row in item.rows if row[column] == value])


@dataclass(frozen=True)
class Panel:
    """The curves of all runs of a method: loss, online kNN accuracy, and statistics of features by title."""

    method: str
    loss: Markup
    near: Markup
    statistics: list[tuple[str, Markup]]


def curve_panels(runs: Sequence[tuple[str, str, str, Sequence[Row]]]) -> list[Panel]:
    """One panel per method; `runs` are (run, method, pairs, rows of its curve)."""
    methods = dict.fromkeys(method for _, method, _, rows in runs if rows)
    panels = []
    for method in methods:
        chosen = [item for item in runs if item[1] == method]
        loss = lines([_curve(run, pairs, rows, "loss") for run, _, pairs, rows in chosen], "loss", "step")
        near = [_curve(run, pairs, rows, "knn_accuracy") for run, _, pairs, rows in chosen]
        drawn = [
            (title, lines([_curve(run, pairs, rows, column) for run, _, pairs, rows in chosen], title, "step"))
            for column, title in STATISTICS.items()
        ]
        panels.append(
            Panel(method, loss, lines(near, "online kNN accuracy, %", "step", 100.0), [one for one in drawn if one[1]])
        )
    return panels


def _curve(run: str, pairs: str, rows: Sequence[Row], column: str) -> Line:
    points = [(float(row["step"]), float(row[column])) for row in rows if row.get(column) is not None]
    return Line(run, arm_class(pairs), [x for x, _ in points], [y for _, y in points])
