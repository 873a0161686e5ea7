"""Sections on trained models: headline, curves, accuracy. One function per template."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.charts import Line, lines
from workflow_scripts.reporting.sections import contrasts as contrast_data
from workflow_scripts.reporting.sections.contrast_blocks import Cited, blocks
from workflow_scripts.reporting.sections.headline import FAMILIES, Arm, arms, selection_note
from workflow_scripts.reporting.study import Number, Source, Study, Table, TableLine, label, unit_of
from workflow_scripts.reporting.text import arm_class, count, percent, plain, words

Row = dict[str, Any]
# Column of a training curve -> title of its chart.
STATISTICS = {
    "rankme": "RankMe",
    "spread": "spread",
    "alignment": "alignment",
    "uniformity": "uniformity",
    "norm": "norm of features",
}
NAMED_CLASSES = 5  # of those without test images
PAIR_FACTS = {
    "self_pairs": "paired with themselves",
    "partners_elsewhere": "pairs whose partner is not one of them",
    "without_score": "images without a score (weight 1)",
    "target_temperature": "temperature of targets",
    "target_perplexity": "perplexity of targets",
}


@dataclass(frozen=True)
class Measured:
    """The rows of one run and step, and by dataset the file that they stand in."""

    run: str
    pairs: str
    step: str
    rows: Sequence[Row]
    sources: Mapping[str, Source]


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
    """A table per probe objective, with the accuracy at the common C beside that at the chosen one."""
    objectives = sorted({row["objective"] for item in measured for row in item.rows})
    return [
        by_dataset([_with_common(item, name) for item in measured], f"Linear probe, objective {words(name)}")
        for name in objectives
    ]


def _with_common(item: Measured, objective: str) -> Measured:
    """The rows of an objective, each followed by one of the accuracy at the common C."""
    rows, sources = [], dict(item.sources)
    for row in item.rows:
        if row["objective"] == objective:
            name = f"{row['dataset']} at C = {row['common_c']:g}"
            sources[name] = item.sources[row["dataset"]]
            at_common = {"dataset": name, "value": row["value_at_common_c"], "low": None, "high": None}
            rows += [row, row | at_common]
    return replace(item, rows=rows, sources=sources)


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


def headline(study: Study) -> Row:
    """Arms with intervals, the named contrasts, and a sentence that counts their verdicts."""
    summary = study.one("summary")
    step = study.settings.headline_step
    if summary is None:
        claim = "This study trained and evaluated no image encoder."
        none = contrast_data.none_named([], step)
        return {"claim": claim, "note": "", "arms": [], "contrasts": [], "none": none}
    rows = study.table(summary)
    contrasts = study.table(summary, ".contrasts.parquet")
    found = contrast_data.named(contrasts, step)
    cited = Cited(study.source(summary, ".contrasts.parquet"), study.json(summary, ".sources.json"))
    return {
        "claim": " ".join(contrast_data.tally(found, contrasts, step)),
        "step": step,
        "note": selection_note(rows),
        "families": FAMILIES,
        "arms": [_arm_line(arm, study.source(summary, ".parquet")) for arm in arms(rows, step)],
        "contrasts": blocks(found, rows, cited),
        "none": contrast_data.none_named(contrasts, step),
        "common": common_classes(cited.origins.get("common_classes", {})),
        "file": cited.source,
    }


def common_classes(found: Mapping[str, Mapping[str, str]]) -> str:
    """Classes that several sets have, with the sets that call them something else."""
    texts = []
    for name, sets in found.items():
        other = [f"{dataset}: {own}" for dataset, own in sets.items() if own != name]
        texts.append(f"{name} ({', '.join(other)})" if other else name)
    return ", ".join(texts)


def _arm_line(arm: Arm, source: Source) -> Row:
    cells = []
    for name in FAMILIES:
        estimate = arm.estimates[name]
        if estimate is None:
            cells.append((Number("—"), ""))
            continue
        low, high = estimate.low, estimate.high
        interval = "" if low is None or high is None else f"{percent(low)}–{percent(high)}"
        members = ", ".join(filter(None, (arm.method, arm.pairs, arm.augmentation, arm.tag, arm.backbone)))
        rows = f"mean of {members} over shared datasets"
        cells.append((Number(percent(estimate.value), interval, source, rows), estimate.kind))
    return {"arm": arm, "css": arm_class(arm.pairs), "cells": cells}


def _run_of(artifact: Artifact) -> str:
    return artifact.unit.get("run", artifact.name)


def curves(study: Study) -> Row:
    """Loss, online kNN accuracy and statistics of features per method; which arm is which colour."""
    runs = []
    for artifact in study.all("runs"):
        run = _run_of(artifact)
        rows = study.table(artifact, "/curve.parquet")
        runs.append((run, *study.method_and_pairs(run), rows))
    panels = curve_panels(runs)
    arms = dict.fromkeys(pairs for _, method, pairs, rows in runs if rows)
    sources = [study.source(one, "/curve.parquet") for one in study.all("runs")]
    legend = [(name, arm_class(name)) for name in arms]
    return {
        "panels": panels,
        "legend": legend,
        "sources": sources,
        "collapsed": _collapsed(study),
        "trained_on": _trained_on(study),
    }


def _collapsed(study: Study) -> list[tuple[str, str, Number]]:
    """Runs whose features look collapsed: run, colour, first such step."""
    found = []
    for artifact in study.all("runs"):
        step = study.json(artifact, "/run.json").get("collapsed_step")
        if step is not None:
            name = _run_of(artifact)
            number = Number(count(step), source=study.source(artifact, "/run.json"), rows="collapsed_step")
            found.append((name, arm_class(study.method_and_pairs(name)[1]), number))
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
        manifest, file = study.index.manifest(label(artifact)), study.source(artifact, "/run.json")
        dropped = artifact.rows["dropped"].items()
        cells = [Number(_fact(about[name]), source=file, rows=name) if name in about else Number("—") for name in shown]
        lines.append(
            {
                "run": _run_of(artifact),
                "css": arm_class(study.method_and_pairs(_run_of(artifact))[1]),
                "images": Number(count(artifact.rows["out"]), source=manifest, rows="rows out"),
                "left_out": [(words(name), Number(count(n), source=manifest, rows=name)) for name, n in dropped],
                "cells": cells,
            }
        )
    return {"columns": [PAIR_FACTS[name] for name in shown], "lines": lines}


def _measured(study: Study, name: str, suffix: str) -> list[Measured]:
    """The scores of each checkpoint, over all datasets."""
    found = []
    for (run, step), artifacts in _by_checkpoint(study, name).items():
        rows: list[Row] = []
        sources: dict[str, Source] = {}
        for artifact in artifacts:
            found_rows = study.table(artifact, suffix)
            rows += found_rows
            sources |= dict.fromkeys((row["dataset"] for row in found_rows), study.source(artifact, suffix))
        found.append(Measured(run, study.method_and_pairs(run)[1], step, rows, sources))
    return found


def _by_checkpoint(study: Study, name: str) -> dict[tuple[str, str], list[Artifact]]:
    """(run, step) -> its artifacts, one per dataset."""
    found: dict[tuple[str, str], list[Artifact]] = {}
    for artifact in study.all(name):
        found.setdefault((artifact.unit["run"], artifact.unit["step"]), []).append(artifact)
    return found


def accuracy(study: Study) -> Row:
    """Linear probe, few-shot, kNN and statistics of the features, per run, step and dataset."""
    tables = probe_tables(_measured(study, "probe", ".parquet"))
    for name in ("few_shot", "knn"):
        if measured := _measured(study, name, ".parquet"):
            tables.append(by_dataset(measured, FAMILIES[name]))
    statistics = statistics_tables(_measured(study, "knn", ".statistics.parquet"))
    return {"tables": tables, "statistics": statistics, "untested": untested(study)}


def untested(study: Study) -> list[tuple[str, Number, str]]:
    """Dataset, number and some names of its classes without test images, of which accuracies say nothing."""
    found = []
    for dataset in study.all("datasets"):
        names = study.json(dataset).get("without_test_images", [])
        if names:
            number = Number(count(len(names)), source=study.source(dataset, ".json"), rows="without_test_images")
            found.append((unit_of(dataset, "dataset"), number, ", ".join(map(str, names[:NAMED_CLASSES]))))
    return found
