"""All contrasts of the page: one forest plot, tables in two orders, and those without an interval."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from workflow_scripts.core.declaration.result_names import probe_objective
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.answer import dot, forest
from workflow_scripts.reporting.sections.contrasts import Named, Shown, shown_p, titles
from workflow_scripts.reporting.study import Number, Source
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.text import minus

Row = dict[str, Any]
COLUMNS = ("contrast", "runs", "measure", "set", "difference", "95 % interval", "n", "p", "p, adjusted", "detectable")

NOTE = (
    "Differences of shares are in percentage points. Intervals are over seeds, test items and classes, or images. "
    "Detectable: the smallest effect that this number of seeds shows in 80 % of studies."
)


class Cited(NamedTuple):
    """The contrasts' file, and the summary's list of the files behind each of its rows."""

    source: Source
    origins: Row

    def number(self, one: Shown) -> Number:
        """The difference, citing its row, the first file by name behind it and how many there are."""
        files = self.origins["contrasts"][one.at]
        first = self.origins["files"][files[0]]["file"] if files else "none"
        made = f"made from {len(files)} files: {first}{', …' if len(files) > 1 else ''}"
        where = f"row {one.at} ({one.row['metric']}, {one.row['level']}), {made}"
        return Number(one.measure.shown(one.row["difference"]), one.interval, self.source, where)


def contrast_tables(contrasts: Sequence[Named], cited: Cited) -> Row:
    """What the template takes."""
    every = [one for contrast in contrasts for one in contrast.shown]
    known = sorted((one for one in every if one.interval), key=lambda one: not one.row["primary"])
    leading = probe_objective(one.row["metric"] for one in every)
    of_sets = (one for contrast in contrasts for one in contrast.by_set)
    by_set = [one for one in of_sets if one.interval and f".{leading}." in one.row["metric"]]
    sets = list(dict.fromkeys(one.row["dataset"] for one in by_set))
    by_set.sort(key=lambda one: sets.index(one.row["dataset"]))
    return {
        "figure": _figure(contrasts),
        "by_name": _listed("contrasts-by-name", "Contrasts by name", known, cited),
        "by_set": _listed("contrasts-by-set", "Linear probe by set", by_set, cited),
        "open": [(minus(one.row["contrast"]), one, cited.number(one)) for one in every if not one.interval],
    }


def _figure(contrasts: Sequence[Named]) -> Figure | None:
    """One line for each comparison, by its first measure: a primary contrast's own, else the linear probe."""
    names = titles(contrasts)
    firsts = {(contrast.name, one.where): one for contrast in contrasts for one in reversed(contrast.shown)}
    drawn = [one for one in firsts.values() if one.row["difference"] is not None and one.measure.scale == 100]
    if not drawn:
        return None
    drawn.sort(key=lambda one: (not one.row["primary"], one.at))
    dots = [dot(one, names[one.at] + ("" if one.measure.probe else f": {one.measure.title}")) for one in drawn]
    title = "All contrasts with 95 % intervals, exploratory ones in grey"
    return forest("contrasts", title, dots, {one.measure.title for one in drawn})


def _listed(name: str, heading: str, shown: Sequence[Shown], cited: Cited) -> Row:
    """A table of contrasts: its text, and for each line its row and its linked difference."""
    rows = [
        [
            minus(one.row["contrast"]),
            one.where,
            one.measure.title,
            one.dataset,
            one.measure.shown(one.row["difference"]),
            one.interval,
            count(one.row),
            shown_p(one.row["p"]),
            shown_p(one.row["p_adjusted"]),
            one.least,
            verdict(one.row),
        ]
        for one in shown
    ]
    table = Table(name, heading, (*COLUMNS, "verdict"), rows, note=NOTE)
    return {"table": table, "lines": [(one, cited.number(one)) for one in shown]}


def count(row: Row) -> str:
    """What a row's interval is over."""
    if row["level"] == "image":
        return f"{row['n']} images"
    return f"{row['n']} seeds" + (f", {row['arms']} kinds of runs" if row["arms"] else "")


def verdict(row: Row) -> str:
    """The verdict and the reason for it."""
    return f"{row['verdict']}: {row['reason']}" if row["reason"] else str(row["verdict"])
