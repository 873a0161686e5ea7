"""The named contrasts of a study at one step, as the page and the terminal show them.

What is said about them follows from their verdicts, which docs/statistics.md defines; nothing is concluded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.core.declaration.result_names import MEAN, SALIENCY
from workflow_scripts.reporting.text import minus, points

Row = dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """What was measured: the linear probe, by objective, or another accuracy, share or score.

    Attributes:
        scale: 100 for shares, whose differences are shown in points; 1 for scores.
    """

    title: str
    probe: bool = False
    scale: float = 100.0

    @property
    def name(self) -> str:
        """Its title without the objective."""
        return self.title.partition(",")[0]

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
        return "" if low is None or high is None else f"{self.measure.shown(low)} to {self.measure.shown(high)}"

    @property
    def least(self) -> str:
        """The smallest detectable effect, without sign; a dash without one."""
        return self.measure.shown(self.row["detectable"]).lstrip("+")


@dataclass(frozen=True)
class Named:
    """All that is shown of one contrast; what has a verdict and the linear probe come first in each comparison."""

    name: str
    expected: int
    shown: tuple[Shown, ...]


def measure(metric: str) -> Measure | None:
    """The measure of a metric's full name; None if the page does not show it with contrasts."""
    parts = metric.split(".")
    if parts[0] == "linear_probe":
        return Measure(f"Linear probe, {parts[1]}", probe=True)
    if parts[0] == "few_shot":
        return Measure("Few-shot")
    if parts[0] == "knn":
        return Measure("kNN")
    if metric == SALIENCY:
        return Measure("Saliency, corrected AP")
    of = " ".join(parts[1:])
    others = {
        "pair_purity": Measure("Pairs with the same label"),
        "caption_score": Measure(f"Centred caption score (own scale), {of}", scale=1),
        "orderings": Measure(f"Known orderings recovered (minus 0.5), {of}"),
        "flips": Measure(f"Replacements due to style, {of}"),
    }
    return others.get(parts[0])


def named(rows: Sequence[Row], step: str) -> list[Named]:
    """Contrasts at a step, between steps, or at one other step only; and all that have a verdict.

    Of each measure, the mean over sets is shown, or the only set.
    A contrast that lacks the step and was computed at several others is left out.
    """
    found: dict[str, list[Shown]] = {}
    steps: dict[str, set[str]] = {}
    for row in rows:
        steps.setdefault(row["contrast"], set()).add(row["step"])
    parts = ["method", "augmentation", "tag", *(["backbone"] if len({row["backbone"] for row in rows}) > 1 else [])]
    keys = ("contrast", "method", "augmentation", "backbone", "tag", "step")
    joint = [(at, row, measure(row["metric"])) for at, row in enumerate(rows) if row["verdict"]]
    at_step = [
        one for one in joint if one[1]["primary"] or _is_at(one[1]["step"], step) or len(steps[one[1]["contrast"]]) == 1
    ]
    means = {(*(row[key] for key in keys), kind) for _, row, kind in at_step if row["dataset"] == MEAN}
    for at, row, kind in at_step:
        if kind is not None and (row["dataset"] == MEAN or (*(row[key] for key in keys), kind) not in means):
            where = [*(row[name] for name in parts), "" if _is_at(row["step"], step) else f"step {row['step']}"]
            found.setdefault(row["contrast"], []).append(Shown(row, kind, at, ", ".join(filter(None, where))))
    return [Named(name, shown[0].row["expected"], tuple(_ordered(shown))) for name, shown in found.items()]


def _is_at(compared: str, step: str) -> bool:
    """Whether a row of this ``compared`` step is shown with a step: it is the same or none, or two are compared."""
    return compared in (step, "") or " vs " in compared


def none_named(rows: Sequence[Row], step: str) -> str:
    """Why no contrast is shown at a step, given the rows of all."""
    if not rows:
        return "No runs of this study form a named contrast."
    return f"This study has named contrasts, but none at step {step}."


def _ordered(shown: Sequence[Shown]) -> list[Shown]:
    comparisons = list(dict.fromkeys(one.where for one in shown))
    return sorted(shown, key=lambda one: (comparisons.index(one.where), not one.row["primary"], not one.measure.probe))


def sentence(contrast: Named) -> str:
    """What is said of a contrast: the verdict on its endpoint, if it is primary, and differences by linear probe."""
    groups: dict[tuple[str, str], list[Shown]] = {}
    for one in contrast.shown:
        if one.row["primary"] or one.measure.probe:
            groups.setdefault((one.measure.name, one.where), []).append(one)
    if not groups:
        return "The linear probe was not measured."
    measured: dict[str, list[str]] = {}
    for (name, where), shown in groups.items():
        measured.setdefault(name, []).append(_told(where, shown))
    return " ".join(f"{name}: {', '.join(told)}." for name, told in measured.items())


def _told(where: str, shown: Sequence[Shown]) -> str:
    first = shown[0].row
    found = [*([first["reason"]] if first["reason"] else []), *(_numbers(one) for one in shown)]
    return f"{first['verdict']}{where and f' for {where}'} ({'; '.join(found)})"


def _numbers(one: Shown) -> str:
    measure, unit = one.measure, "points" if one.measure.scale == 100 else ""
    said = " ".join(filter(None, (measure.title.partition(", ")[2], measure.shown(one.row["difference"]), unit)))
    if one.interval:
        said += f" [{one.interval}]"
    if one.row["detectable"] is not None and one.row["verdict"] == "inconclusive":
        said += f", detectable {one.least}"
    return said


def tally(contrasts: Sequence[Named], rows: Sequence[Row], step: str) -> list[str]:
    """The page's first sentences: the verdicts of the primary contrasts, and how many comparisons are exploratory.

    Args:
        contrasts: those shown.
        rows: of all contrasts.
        step: at which they are shown.
    """
    if not contrasts:
        return [none_named(rows, step), "Its results are below."]
    every = [((contrast.name, one.where), one) for contrast in contrasts for one in contrast.shown]
    primary: dict[tuple[str, str], Shown] = {}  # the objectives of the linear probe have one verdict in common
    for key, one in every:
        if one.row["primary"]:
            primary.setdefault(key, one)
    if not primary:
        return ["No primary contrast was measured, so this study has no verdict."]
    said = [
        f"Primary contrast {title(name)},{where and f' {where},'} by {one.measure.name}: {_verdict(one.row)}."
        for (name, where), one in primary.items()
    ]
    if any(one.row["primary"] == "default" for one in primary.values()):
        said.append("The config declares no primary contrast; this one is the default.")
    others = len({key for key, _ in every} - primary.keys())
    return [*said, f"Other comparisons, all exploratory: {others}."]


def _verdict(row: Row) -> str:
    return f"{row['verdict']} ({row['reason']})" if row["reason"] else str(row["verdict"])


def title(name: str) -> str:
    """A contrast's name for display."""
    return minus(name)


def shown_p(value: float | None) -> str:
    """A p-value as text; a dash without one."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
