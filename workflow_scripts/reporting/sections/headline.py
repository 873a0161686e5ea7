"""Arms of a study, for the page and the terminal, from rows with the columns of `summary.parquet`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workflow_scripts.core.declaration.result_names import MEAN, PROBE, SALIENCY, probe_objective
from workflow_scripts.stats.intervals import student_t
from workflow_scripts.stats.random_effects import FEWEST_SEEDS

Row = dict[str, Any]
FAMILIES = {"probe": "Linear probe", "few_shot": "Few-shot", "knn": "kNN", "saliency": "Saliency"}


@dataclass(frozen=True)
class Estimate:
    """A mean over datasets (and seeds) with a 95 % interval over `kind` ("seeds" or "test items"; n of them).

    One of kind "reference" has no interval.
    """

    value: float
    low: float | None
    high: float | None
    kind: str
    n: int


@dataclass(frozen=True)
class Arm:
    """All seeds of one method × pairs × augmentation × tag × backbone.

    Attributes:
        backbone: empty if the study has only one.
        estimates: family -> estimate, or None where nothing was measured.
    """

    method: str
    pairs: str
    augmentation: str
    tag: str
    backbone: str
    seeds: int
    length: str
    estimates: dict[str, Estimate | None]


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def family(metric: str, objective: str) -> str:
    """The headline family of a metric name, or "" when it is not in the headline."""
    if metric.startswith(f"{PROBE}{objective}."):
        return "probe"
    kind = metric.partition(".")[0]
    if kind in ("few_shot", "knn"):
        return kind
    return "saliency" if metric == SALIENCY else ""


def headline_step(rows: Sequence[Row], run: str, wanted: str) -> str | None:
    """The step of a run that the headline shows: the wanted one, or the last in order where the run lacks it."""
    steps = sorted({str(row["step"]) for row in rows if row["run"] == run})
    return wanted if wanted in steps or not steps else steps[-1]


def selection_note(rows: Sequence[Row]) -> str:
    """Which checkpoints a reported set chose, and what follows; empty if there are none."""
    steps: dict[str, list[str]] = {}
    for row in rows:
        if row["chosen_on"]:
            steps.setdefault(row["chosen_on"], []).append(row["step"])
    return " ".join(
        f"Checkpoints chosen on {name}: {' and '.join(dict.fromkeys(found))}. There, means over sets leave it out, and "
        "its own contrasts are inconclusive."
        for name, found in steps.items()
    )


def arms(rows: Sequence[Row], step: str = "last") -> list[Arm]:
    """Arms in the order of their first run; means over the datasets that every run of a family shares.

    A set that chose a checkpoint of one of them is left out. Where the summary has a family's mean for every run, over
    the same datasets, that row is taken, with its interval. Where some arms have intervals over seeds, the others are
    references: an interval over test items beside them would look like theirs but leave out the seeds.
    """
    runs = {row["run"]: row for row in rows}
    kept = _by_family(rows, {run: headline_step(rows, run, step) for run in runs})
    several = len({row["backbone"] for row in rows}) > 1
    groups: dict[tuple[str, str, str, str, str], list[str]] = {}
    for run, row in runs.items():
        backbone = row["backbone"] if several else ""
        groups.setdefault((row["method"], row["pairs"], row["augmentation"], row["tag"], backbone), []).append(run)
    found = [
        Arm(
            *group,
            len(members),
            length_text([runs[run] for run in members]),
            # A corrected saliency score can be negative; the others are shares.
            {name: _estimate(kept[name], members, bounded=name != "saliency") for name in FAMILIES},
        )
        for group, members in groups.items()
    ]
    for name in FAMILIES:
        estimates = [arm.estimates[name] for arm in found]
        if any(one and one.kind == "seeds" for one in estimates):
            for arm, one in zip(found, estimates, strict=True):
                if one and one.kind == "test items":
                    arm.estimates[name] = replace(one, low=None, high=None, kind="reference")
    return found


def length_text(rows: Sequence[Row]) -> str:
    """Steps and epochs of an arm's runs, such as ``4,000 steps, 2.5 epochs``; empty for untrained ones."""
    found = []
    for name, unit in (("trained_steps", "steps"), ("epochs", "epochs")):
        values = sorted({row[name] for row in rows if row[name]})
        if values:
            ends = [f"{value:,.0f}" if name == "trained_steps" else f"{value:.3g}" for value in (values[0], values[-1])]
            found.append(f"{' to '.join(dict.fromkeys(ends))} {unit}")
    return ", ".join(found)


def _by_family(rows: Sequence[Row], steps: dict[str, str | None]) -> dict[str, dict[str, dict[str, Row]]]:
    """family -> run -> dataset -> row, at each run's step; the first metric by name where a dataset has several."""
    objective = probe_objective(row["metric"] for row in rows)
    kept: dict[str, dict[str, dict[str, Row]]] = {name: {} for name in FAMILIES}
    for row in sorted(rows, key=lambda row: str(row["metric"])):
        name = family(row["metric"], objective)
        if name and str(row["step"]) == steps[row["run"]] and _number(row["value"]) is not None:
            kept[name].setdefault(row["run"], {}).setdefault(row["dataset"], row)
    return kept


def _estimate(by_run: dict[str, dict[str, Row]], members: Sequence[str], bounded: bool) -> Estimate | None:
    present = [run for run in members if run in by_run]
    if not present:
        return None
    common = set.intersection(*(set(datasets) for datasets in by_run.values()))
    chose = {row["chosen_on"] for datasets in by_run.values() for row in datasets.values()}
    shared = [MEAN] if MEAN in common and len(chose) == 1 else sorted(common - chose - {MEAN})
    if not shared:
        return None
    means = [math.fsum(by_run[run][name]["value"] for name in shared) / len(shared) for run in present]
    if len(means) >= FEWEST_SEEDS:
        interval = student_t(np.array(means))
        ends = _ends(interval.low, interval.high, bounded)
        return Estimate(interval.value, *ends, "seeds", len(means))
    value = math.fsum(means) / len(means)
    rows = [[by_run[run][name] for run in present] for name in shared]
    half_or_none = _item_half_width(rows)
    if half_or_none is None:
        return Estimate(value, None, None, "", len(means))
    return Estimate(value, *_ends(value - half_or_none, value + half_or_none, bounded), "test items", len(means))


def _ends(low: float | None, high: float | None, bounded: bool) -> tuple[float | None, float | None]:
    """The ends of an interval; those of a share stay within 0..1, which a normal distribution can leave."""
    if low is None or high is None or not bounded:
        return low, high
    return min(1.0, max(0.0, low)), min(1.0, max(0.0, high))


def _item_half_width(rows: Sequence[Sequence[Row]]) -> float | None:
    """Half width of a mean over independent datasets: root of summed squares over their number.

    Seeds of one dataset share its test items, so their half widths are averaged, not shrunk.
    """
    squares = []
    for seeds in rows:
        halves = []
        for row in seeds:
            low, high = _number(row["low"]), _number(row["high"])
            if low is None or high is None:
                return None
            halves.append((high - low) / 2)
        squares.append((math.fsum(halves) / len(halves)) ** 2)
    return math.sqrt(math.fsum(squares)) / len(rows)
