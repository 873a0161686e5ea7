"""The named contrasts of a study at one step, as the page and the terminal show them.

What is said about them follows from their verdicts, which docs/statistics.md defines; nothing is concluded here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.core.declaration.result_names import MEAN, MEAN_LARGER, MEAN_SMALL, SALIENCY
from workflow_scripts.reporting.text import minus, points

Row = dict[str, Any]
MEANS = (MEAN, MEAN_SMALL, MEAN_LARGER)


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
    joint = [(at, row, measure(row["metric"])) for at, row in enumerate(rows) if row["verdict"]]
    at_step = [
        one for one in joint if one[1]["primary"] or _is_at(one[1]["step"], step) or len(steps[one[1]["contrast"]]) == 1
    ]
    means = {(*(row[key] for key in keys), kind) for _, row, kind in at_step if row["dataset"] == MEAN}
    for at, row, kind in at_step:
        if kind is None:
            continue
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


def none_named(rows: Sequence[Row], step: str) -> str:
    """Why no primary contrast is shown at a step, given the rows of all."""
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
