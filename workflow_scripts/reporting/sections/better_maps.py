"""Which side of a contrast has the better maps; docs/saliency.md states the rule. Nothing else on the page says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.core.declaration.result_names import HEADLINE, LEAD, SALIENCY
from workflow_scripts.reporting.sections.contrasts import named, title
from workflow_scripts.reporting.study import Number, Study
from workflow_scripts.reporting.text import points, words
from workflow_scripts.stats.intervals import LEVEL

Row = dict[str, Any]
BEATEN = ("centre_gaussian", "runner_up")
"""The maps that every run of the better side must lead."""


def better_maps(study: Study) -> list[Row]:
    """A line for each contrast of the leading saliency score."""
    summary = study.one("summary")
    if summary is None:
        return []
    contrasts, source = study.table(summary, ".contrasts.parquet"), study.source(summary, ".contrasts.parquet")
    leads = _leads(study.table(summary))
    lines = []
    for contrast in named(contrasts, study.settings.headline_step):
        for one in contrast.shown:
            if one.row["metric"] != SALIENCY:
                continue
            counts = {name: _leading(leads, one.row, name) for name in BEATEN}
            number = Number(points(one.row["difference"]), one.interval, source, f"row {one.at} ({SALIENCY}, joint)")
            head = {"name": title(contrast.name), "where": one.where, "dataset": one.row["dataset"], "number": number}
            shown = [f"{leading} of {runs}" for leading, runs in counts.values()]
            lines.append({**head, "leading": shown, "statement": statement(one.row, counts)})
    return lines


def statement(row: Mapping[str, Any], leading: Mapping[str, tuple[int, int]]) -> str:
    """What is said of a contrast.

    Args:
        row: its joint row.
        leading: map -> how many runs of the side with the higher score lead it, and of how many.
    """
    if row["reason"] or row["p_adjusted"] is None:
        return f"not shown: {row['reason'] or 'no joint interval'}"
    if row["p_adjusted"] >= 1 - LEVEL:
        return "not shown: the difference may be chance"
    behind = [words(name) for name, (runs, of) in leading.items() if not 0 < runs == of]
    if behind:
        return f"not shown: not every run of the side with the higher score leads {' and '.join(behind)}"
    return f"the maps of the runs that are {'added' if row['difference'] > 0 else 'subtracted'} are better"


def _leads(rows: Sequence[Row]) -> dict[tuple[str, ...], bool]:
    """By checkpoint, set, the set that chose it, and map: whether the interval of the lead is above 0."""
    metrics = {f"saliency.{name}.{HEADLINE}.{LEAD}": name for name in BEATEN}
    return {
        (f"{row['run']}.{row['step']}", row["dataset"], row["chosen_on"], metrics[row["metric"]]): row["low"]
        is not None
        and row["low"] > 0
        for row in rows
        if row["metric"] in metrics
    }


def _leading(leads: Mapping[tuple[str, ...], bool], row: Row, name: str) -> tuple[int, int]:
    """How many runs of the side with the higher score lead a map, and how many runs it has."""
    runs = row["plus" if row["difference"] > 0 else "minus"].split()
    found = [leads.get((run, row["dataset"], row["chosen_on"], name), False) for run in runs]
    return sum(found), len(found)
