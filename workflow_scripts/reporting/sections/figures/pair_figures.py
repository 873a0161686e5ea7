"""Figures of pair tables by group, as small multiples, and one table of them in words."""

from typing import Any, NamedTuple

from workflow_scripts.reporting.drawings import Panel, dot_figure, dot_of
from workflow_scripts.reporting.sections.data import flatten
from workflow_scripts.reporting.study import Study, number_of, unit_of
from workflow_scripts.reporting.tables import Table, stem
from workflow_scripts.reporting.text import percent, plain

Row = dict[str, Any]


class Measure(NamedTuple):
    """A figure of the summary of a pair table, by its dotted name there; shares are shown in per cent."""

    key: str
    title: str
    unit: str
    better: str

    @property
    def share(self) -> bool:
        """Whether it is one."""
        return self.unit.startswith("%")


GROUPS = {
    "Do the images of a pair belong together?": (
        Measure("same_label", "same label", "% of pairs", "higher"),
        Measure("image_cosine.pairs", "similarity of the images", "cosine", "higher"),
        Measure("image_cosine.difference", "more alike than random pairs", "difference of cosines", "higher"),
        Measure("image_cosine.false_positives", "less alike than the median random pair", "% of pairs", "lower"),
    ),
    "Could pairs be found without language?": (
        Measure("equal_captions", "equal captions", "% of pairs", "lower"),
        Measure("near_copies", "captions of nearly the same words", "% of pairs", "lower"),
        Measure("image_cosine.near_duplicates", "images that are near copies", "% of pairs", "lower"),
        Measure("same_subreddit", "from the same subreddit or group", "% of pairs", "neither"),
    ),
    "Are all images used?": (
        Measure("hubness.max", "partners of the largest hub", "pairs", "lower"),
        Measure("hubness.gini", "uneven use (Gini coefficient)", "0 to 1", "lower"),
        Measure("hubness.never_share", "never a partner", "% of images", "lower"),
        Measure("hubness.effective_targets", "evenly used partners", "images", "higher"),
        Measure("reciprocity", "pairs in both directions", "% of pairs", "neither"),
        Measure("false_negatives.either", "false negatives in a batch", "pairs of sources", "lower"),
        Measure("search_recall", "neighbours that the search finds", "%", "higher"),
    ),
}


def pair_figures(study: Study) -> Row:
    """Groups of measures with their small multiples and lines of numbers, and all lines as files."""
    tables = [(unit_of(one, "pairs"), one) for one in study.all("pair_quality")]
    found = {name: flatten(study.json(one)) for name, one in tables}
    sources = {name: study.source(one, ".json") for name, one in tables}
    groups = []
    for group, measures in GROUPS.items():
        shown = [measure for measure in measures if any(measure.key in figures for figures in found.values())]
        lines = [
            (f"{measure.title}, {measure.unit}", [
                number_of(figures.get(measure.key), percent if measure.share else plain, sources[name], measure.key)
                for name, figures in found.items()
            ])
            for measure in shown
        ]  # fmt: skip
        if shown:
            alt = f"Of each pair table: {', '.join(measure.title for measure in shown)}."
            panels = [_panel(measure, found) for measure in shown]
            groups.append((group, dot_figure(stem(f"pairs {shown[0].title}"), f"Pairs: {group}", alt, panels), lines))
    rows = [[name, *(number.shown for number in cells)] for _, _, lines in groups for name, cells in lines]
    title = "Pair tables, with 95 % intervals where they are known"
    return {"groups": groups, "table": Table("pairs", title, ["measure", *found], rows)}


def _panel(measure: Measure, found: dict[str, dict[str, Row]]) -> Panel:
    rows = {name: figures[measure.key] for name, figures in found.items() if measure.key in figures}
    dots = [dot_of(name, row, 100 if measure.share else 1) for name, row in rows.items()]
    return Panel(measure.title, measure.unit, dots, measure.better)
