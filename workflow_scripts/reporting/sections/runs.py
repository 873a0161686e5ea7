"""Sections on trained models: results, curves, accuracy. One function per template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workflow_scripts.reporting.answers import first_screen
from workflow_scripts.reporting.sections.contrasts import Cited, contrast_tables, named
from workflow_scripts.reporting.sections.headline import FAMILIES, run_table, selection_note
from workflow_scripts.reporting.study import Number, Study, Table, TableLine, number_of, unit_of
from workflow_scripts.reporting.text import count, percent, plain, words

Row = dict[str, Any]
NAMED_CLASSES = 5  # of those without test images


@dataclass(frozen=True)
class Measured:
    """The rows of one run and step, each with the ``source`` in which it stands, and the run's colour class."""

    run: str
    css: str
    step: str
    rows: list[Row]


def cell(row: Row | None, where: str) -> Number:
    """Value and interval in per cent, or unchanged if they are outside 0..1 (a score that is not a share)."""
    share = row is not None and row["value"] is not None and abs(row["value"]) <= 1
    return number_of(row, percent if share else plain, row["source"] if row else None, where)


def by_dataset(measured: Sequence[Measured], title: str, over: str = "test items") -> Table:
    """One line per run and step, one column per dataset; rows need dataset, value, low, high, n, metric.

    Args:
        over: what the intervals are over.
    """
    note = f"In %, with 95 % intervals over {over}."
    datasets = list(dict.fromkeys(row["dataset"] for item in measured for row in item.rows))
    metrics = {row["dataset"]: words(row["metric"]) for item in measured for row in item.rows}
    out = []
    for item in measured:
        found = {row["dataset"]: row for row in item.rows}
        cells = [cell(found.get(name), f"dataset {name}") for name in datasets]
        out.append(TableLine(item.run, item.css, item.step, cells))
    return Table(title, [f"{name} ({metrics[name]})" for name in datasets], out, note)


def statistics_tables(measured: Sequence[Measured]) -> list[Table]:
    """A table per dataset, with a column per statistic; rows need dataset, metric, value, n."""
    out = []
    for dataset in dict.fromkeys(row["dataset"] for item in measured for row in item.rows):
        found = [{row["metric"]: row for row in item.rows if row["dataset"] == dataset} for item in measured]
        metrics = list(dict.fromkeys(metric for rows in found for metric in rows))
        shown = []
        for item, rows in zip(measured, found, strict=True):
            source = next((row["source"] for row in rows.values()), None)
            cells = [number_of(rows.get(metric), plain, source, metric) for metric in metrics]
            shown.append(TableLine(item.run, item.css, item.step, cells))
        out.append(Table(f"Features on {dataset}", [words(metric) for metric in metrics], shown))
    return out


def probe_tables(measured: Sequence[Measured]) -> list[Table]:
    """A table per probe objective, with the accuracy at the common C beside that at the chosen one."""
    objectives = sorted({row["objective"] for item in measured for row in item.rows})
    return [
        by_dataset([_with_common(item, name) for item in measured], f"Linear probe, objective {words(name)}")
        for name in objectives
    ]


def _with_common(item: Measured, objective: str) -> Measured:
    """The rows of an objective, each followed by one of the accuracy at the common C."""
    rows = []
    for row in item.rows:
        if row["objective"] == objective:
            at_common = {"dataset": f"{row['dataset']} at C = {row['common_c']:g}", "value": row["value_at_common_c"]}
            rows += [row, row | at_common | {"low": None, "high": None}]
    return replace(item, rows=rows)


def results(study: Study) -> Row:
    """The first screen, the table of what was trained, and the contrasts."""
    summary, step = study.one("summary"), study.settings.headline_step
    if summary is None:
        said: Row = {"question": "", "notes": [], "figure": None}
        said["answers"] = [("This study trained and evaluated no image encoder.", "")]
        return {"answer": said, "trained": None, "contrasts": None, "note": "", "step": step}
    rows = study.table(summary)
    listed = study.table(summary, ".contrasts.parquet")
    found = named(listed, step)
    cited = Cited(study.source(summary, ".contrasts.parquet"), study.json(summary, ".sources.json"))
    trained = run_table(rows, step, study.settings)
    common = common_classes(cited.origins.get("common_classes", {}))
    return {
        "answer": first_screen(study, found, listed, rows),
        "step": step,
        "note": selection_note(rows),
        "trained": trained,
        "numbers": trained and trained.numbers(study.source(summary, ".parquet")),
        "contrasts": {**contrast_tables(found, cited), "common": common, "file": cited.source} if found else None,
    }


def common_classes(found: Mapping[str, Mapping[str, str]]) -> str:
    """Classes that several sets have, with the sets that call them something else."""
    texts = []
    for name, sets in found.items():
        other = [f"{dataset}: {own}" for dataset, own in sets.items() if own != name]
        texts.append(f"{name} ({', '.join(other)})" if other else name)
    return ", ".join(texts)


def _measured(study: Study, name: str, suffix: str) -> list[Measured]:
    """The scores of each checkpoint, over all datasets, each of which is an artifact."""
    found: dict[tuple[str, str], Measured] = {}
    for artifact in study.all(name):
        run, step, source = artifact.unit["run"], artifact.unit["step"], study.source(artifact, suffix)
        measured = found.setdefault((run, step), Measured(run, study.css(run), step, []))
        measured.rows.extend(row | {"source": source} for row in study.table(artifact, suffix))
    return list(found.values())


def accuracy(study: Study) -> Row:
    """Linear probe, few-shot, kNN and statistics of the features, per run, step and dataset."""
    tables = probe_tables(_measured(study, "probe", ".parquet"))
    for name, over in (("few_shot", "episodes"), ("knn", "test items")):
        if measured := _measured(study, name, ".parquet"):
            tables.append(by_dataset(measured, FAMILIES[name], over))
    statistics = statistics_tables(_measured(study, "knn", ".statistics.parquet"))
    return {"tables": tables, "statistics": statistics, "untested": untested(study)}


def untested(study: Study) -> list[tuple[str, Number, str]]:
    """Dataset, number and some names of its classes without test images, of which accuracies say nothing."""
    found = []
    for dataset in study.all("datasets"):
        if names := study.json(dataset).get("without_test_images"):
            number = Number(count(len(names)), source=study.source(dataset, ".json"), rows="without_test_images")
            found.append((unit_of(dataset, "dataset"), number, ", ".join(map(str, names[:NAMED_CLASSES]))))
    return found
