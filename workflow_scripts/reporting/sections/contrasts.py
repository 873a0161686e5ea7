"""The named contrasts of a study at one step, as the page and the terminal show them: by name, by set, and drawn.

What is said about them follows from their verdicts, which docs/statistics.md defines; nothing is concluded here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from workflow_scripts.core.declaration.result_names import MEAN, MEAN_LARGER, MEAN_SMALL, SALIENCY, probe_objective
from workflow_scripts.reporting.drawings import Dot, Panel, dot_figure, dot_of
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.study import Number, Source
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.text import minus, points

Row = dict[str, Any]
MEANS = (MEAN, MEAN_SMALL, MEAN_LARGER)
COLUMNS = ("contrast", "runs", "measure", "set", "difference", "95 % interval", "n", "p", "p, adjusted", "detectable")
NOTE = (
    "Differences of shares are in percentage points. Intervals are over seeds, test items and classes, or images. "
    "p is the larger of two, by the joint variance and by seeds alone, so it can be above 0.05 where the interval does "
    "not hold 0. Detectable: the smallest effect that this number of seeds shows in 80 % of studies."
)
NOT_EVALUATED = (
    "No network was evaluated, so this study has no answer: that needs a labelled set under `datasets`. Add one and "
    "run again; finished trainings are kept."
)


@dataclass(frozen=True)
class Measure:
    """What was measured: the linear probe, by objective, or another accuracy, share or score.

    Attributes:
        scale: 100 for shares, whose differences are shown in points; 1 for scores.
    """

    title: str
    probe: bool = False
    scale: float = 100.0

    def shown(self, value: float | None) -> str:
        """A difference, with its sign; a dash without one."""
        if value is None:
            return "–"
        return points(value) if self.scale == 100 else f"{value:+.3g}".replace("-", "−")


@dataclass(frozen=True)
class Shown:
    """The tested row of a contrast for one comparison and measure, the `at`-th of the table.

    Attributes:
        where: method, augmentation and tag, which tell comparisons of a contrast apart; also the backbone if the study
            has several, and the step if it is not the requested one.
    """

    row: Row
    measure: Measure
    at: int
    where: str

    @property
    def interval(self) -> str:
        """The interval; empty without one."""
        low, high = self.row["low"], self.row["high"]
        return "" if low is None or high is None else f"[{self.measure.shown(low)}, {self.measure.shown(high)}]"

    @property
    def least(self) -> str:
        """The smallest detectable effect, without sign; a dash without one."""
        return self.measure.shown(self.row["detectable"]).lstrip("+")

    @property
    def dataset(self) -> str:
        """The set, or what a mean is over; empty without sets."""
        if self.row["dataset"] != MEAN:
            return str(self.row["dataset"])
        return f"mean over sets without {self.row['chosen_on']}" if self.row["chosen_on"] else "mean over sets"


@dataclass(frozen=True)
class Named:
    """All that is shown of one contrast; what has a verdict and the linear probe come first in each comparison.

    Attributes:
        by_set: each set by itself, under the linear probe.
    """

    name: str
    shown: tuple[Shown, ...]
    by_set: tuple[Shown, ...]


def measure(metric: str) -> Measure | None:
    """The measure of a metric's full name; None if the page does not show it with contrasts."""
    family, *parts = metric.split(".")
    if family == "linear_probe":
        return Measure(f"Linear probe, {parts[0]}", probe=True)
    if metric == SALIENCY:
        return Measure("Saliency, corrected AP")
    of = " ".join(parts)
    others = {
        "few_shot": Measure("Few-shot"),
        "knn": Measure("kNN"),
        "pair_purity": Measure("Pairs with the same label"),
        "caption_score": Measure(f"Centred caption score (own scale), {of}", scale=1),
        "orderings": Measure(f"Known orderings recovered (minus 0.5), {of}"),
        "flips": Measure(f"Replacements due to style, {of}"),
    }
    return others.get(family)


def named(rows: Sequence[Row], step: str) -> list[Named]:
    """Contrasts at a step, between steps, or at one other step only; and all that have a verdict.

    Of each measure, the mean over sets is shown, or the only set.
    A contrast that lacks the step and was computed at several others is left out.
    """
    found: dict[str, tuple[list[Shown], list[Shown]]] = {}
    steps: dict[str, set[str]] = {}
    for row in rows:
        steps.setdefault(row["contrast"], set()).add(row["step"])
    parts = ["method", "augmentation", "tag", *(["backbone"] if len({row["backbone"] for row in rows}) > 1 else [])]
    keys = ("contrast", "method", "augmentation", "backbone", "tag", "step")
    joint = [(at, row, kind) for at, row in enumerate(rows) if row["verdict"] and (kind := measure(row["metric"]))]
    at_step = [
        one for one in joint if one[1]["primary"] or _is_at(one[1]["step"], step) or len(steps[one[1]["contrast"]]) == 1
    ]
    means = {(*(row[key] for key in keys), kind) for _, row, kind in at_step if row["dataset"] == MEAN}
    for at, row, kind in at_step:
        where = [*(row[name] for name in parts), "" if _is_at(row["step"], step) else f"step {row['step']}"]
        shown, by_set = found.setdefault(row["contrast"], ([], []))
        one = Shown(row, kind, at, ", ".join(filter(None, where)))
        if row["dataset"] == MEAN or (*(row[key] for key in keys), kind) not in means:
            shown.append(one)
        if row["dataset"] and row["dataset"] not in MEANS and kind.probe:
            by_set.append(one)
    return [Named(name, tuple(_ordered(shown)), tuple(by_set)) for name, (shown, by_set) in found.items() if shown]


def _is_at(compared: str, step: str) -> bool:
    """Whether a row of this ``compared`` step is shown with a step: it is the same or none, or two are compared."""
    return compared in (step, "") or " vs " in compared


def none_named(rows: Sequence[Row], step: str, evaluated: bool) -> str:
    """Why no primary contrast is shown at a step, given the rows of all, and whether any network was evaluated."""
    if not rows and not evaluated:
        return NOT_EVALUATED
    if not rows:
        return "No runs of this study form a named contrast."
    if not named(rows, step):
        return f"This study has named contrasts, but none at step {step}."
    return "No primary contrast was measured, so this study has no verdict."


def _ordered(shown: Sequence[Shown]) -> list[Shown]:
    comparisons = list(dict.fromkeys(one.where for one in shown))
    return sorted(shown, key=lambda one: (comparisons.index(one.where), not one.row["primary"], not one.measure.probe))


def titles(contrasts: Sequence[Named]) -> Mapping[int, str]:
    """By row of the table, a contrast's name for display, with what tells its comparisons apart if it has several."""
    found = {}
    for contrast in contrasts:
        several = len({one.where for one in contrast.shown}) > 1
        for one in (*contrast.shown, *contrast.by_set):
            found[one.at] = minus(contrast.name) + (f" ({one.where})" if several and one.where else "")
    return found


def shown_p(value: float | None) -> str:
    """A p-value as text; a dash without one."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def dot(shown: Shown, name: str) -> Dot:
    """A contrast in points; those without a verdict are grey."""
    row = {**shown.row, "value": shown.row["difference"]}
    return dot_of(name, row, 100, "ink" if shown.row["primary"] else "soft")


def forest(name: str, title: str, dots: Sequence[Dot], measures: Collection[str]) -> Figure:
    """A forest plot of contrasts: differences with their intervals and the line of no difference.

    Args:
        measures: what was measured, which the axis names if it is the same for all.
    """
    told = ", ".join(f"{one.label} {one.value:+.1f}" for one in dots[:3]).replace("-", "−")
    alt = f"Differences ({len(dots)}) with 95 % intervals and the line of no difference: {told}"
    if any(one.low is None for one in dots):
        title += "; over seeds that both sides have; a dot without a line has no interval"
    measure = f"{min(measures)}: " if len(measures) == 1 else ""
    panel = Panel("", f"{measure}difference, points", dots, zero=True)
    return dot_figure(name, title, f"{alt}{', …' if len(dots) > 3 else ''}.", [panel])


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
    unknown = [shown for shown in every if not shown.interval]
    leading = probe_objective(one.row["metric"] for one in every)
    of_sets = (one for contrast in contrasts for one in contrast.by_set)
    by_set = [one for one in of_sets if one.interval and f".{leading}." in one.row["metric"]]
    sets = list(dict.fromkeys(one.row["dataset"] for one in by_set))
    by_set.sort(key=lambda one: sets.index(one.row["dataset"]))
    return {
        "figure": _figure(contrasts),
        "by_name": _listed("contrasts-by-name", "Contrasts by name", known, cited, unknown),
        "objective": leading,
        "by_set": _listed("contrasts-by-set", "Linear probe by set", by_set, cited),
        "open": [
            {
                "name": minus(shown.row["contrast"]),
                "where": shown.where,
                "measure": shown.measure.title,
                "number": cited.number(shown),
                "why": ", ".join(filter(None, (shown.row["verdict"], shown.row["reason"]))),
            }
            for shown in unknown
        ],
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
    title = "All contrasts, each by its first measure, with 95 % intervals, exploratory ones in grey"
    return forest("contrasts", title, dots, {one.measure.title for one in drawn})


def _listed(name: str, heading: str, shown: Sequence[Shown], cited: Cited, unknown: Sequence[Shown] = ()) -> Row:
    """A table of contrasts: its text, and for each line of the page its row and its linked difference.

    Args:
        unknown: contrasts without an interval, which are the last rows of the table's files.
    """
    rows = [
        [
            minus(one.row["contrast"]),
            one.where,
            one.measure.title,
            one.dataset,
            one.measure.shown(one.row["difference"]),
            one.interval or "–",
            count(one.row),
            shown_p(one.row["p"]),
            shown_p(one.row["p_adjusted"]),
            one.least,
            verdict(one.row) if one.row["primary"] else one.row["verdict"],
        ]
        for one in (*shown, *unknown)
    ]
    table = Table(name, heading, (*COLUMNS, "verdict"), rows, note=NOTE)
    return {"table": table, "lines": [(one, cited.number(one)) for one in shown]}


def count(row: Row) -> str:
    """What a row's interval is over."""
    if row["level"] == "image":
        return f"{row['n']} images"
    return f"{row['n']} seed{'' if row['n'] == 1 else 's'}" + (f", {row['arms']} kinds of runs" if row["arms"] else "")


def verdict(row: Row) -> str:
    """The verdict and the reason for it."""
    return f"{row['verdict']}: {row['reason']}" if row["reason"] else str(row["verdict"])
