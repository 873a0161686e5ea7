"""Arms of a study and the table of what was trained, from rows with the columns of `summary.parquet`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workflow_scripts.core.declaration.result_names import MEAN, PROBE, SALIENCY, probe_objective
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Number, Source
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.terms import CEILINGS, FLOORS, Words
from workflow_scripts.reporting.text import arm_class, percent, visible
from workflow_scripts.stats.intervals import student_t
from workflow_scripts.stats.random_effects import FEWEST_SEEDS

Row = dict[str, Any]
FAMILIES = {"probe": "Linear probe", "few_shot": "Few-shot", "knn": "kNN", "saliency": "Saliency"}
TOLD = {"method": "method", "augmentation": "augmentation", "tag": "tag", "backbone": "network", "length": "length"}
HEADS = FAMILIES | {"saliency": "Saliency, corrected AP"}
SEEDS, ITEMS = "seeds", "test items"


@dataclass(frozen=True)
class Estimate:
    """A mean over datasets (and seeds) with a 95 % interval over `kind` ("seeds" or "test items").

    One of kind "reference" has no interval.
    """

    value: float
    low: float | None
    high: float | None
    kind: str


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


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


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
        if name and str(row["step"]) == steps[row["run"]] and math.isfinite(_number(row["value"])):
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
        (value, low, high), kind = student_t(np.array(means)), "seeds"
    else:
        value = math.fsum(means) / len(means)
        half = _item_half_width([[by_run[run][name] for run in present] for name in shared])
        low, high, kind = (None, None, "") if half is None else (value - half, value + half, "test items")
    if bounded and low is not None and high is not None:  # a normal distribution can leave 0..1
        low, high = min(1.0, max(0.0, low)), min(1.0, max(0.0, high))
    return Estimate(value, low, high, kind)


def _item_half_width(rows: Sequence[Sequence[Row]]) -> float | None:
    """Half width of a mean over independent datasets: root of summed squares over their number.

    Seeds of one dataset share its test items, so their half widths are averaged, not shrunk.
    """
    widths = [[_number(row["high"]) - _number(row["low"]) for row in seeds] for seeds in rows]
    squares = [(math.fsum(width / 2 for width in seeds) / len(seeds)) ** 2 for seeds in widths]
    half = math.sqrt(math.fsum(squares)) / len(rows)
    return half if math.isfinite(half) else None


@dataclass(frozen=True)
class RunTable:
    """The table.

    Attributes:
        kind: what all of its intervals are over; empty if there are none.
        common: what all trained runs have in common, in words; may be empty.
        table: its text; bold is the best of each column among those with the most seeds, without floors and ceilings.
        css: colour class of each line.
    """

    kind: str
    common: str
    table: Table
    css: Sequence[str]

    def numbers(self, source: Source) -> list[list[Number]]:
        """The cells of each line after its seeds, citing the summary."""
        return [
            [_cited(cell, source, f"mean of {row[0]} over shared datasets") for cell in row[2:]]
            for row in self.table.rows
        ]


def run_table(rows: Sequence[Row], step: str, settings: Report) -> RunTable | None:
    """Means over the datasets that all runs share, at a step; None if no run was evaluated.

    Args:
        rows: those of the summary.
    """
    groups, words_of = arms(rows, step), Words(settings)
    if not groups:
        return None
    facts = [vars(group) for group in groups]
    families = [name for name in FAMILIES if any(group.estimates[name] for group in groups)]
    roles = [words_of.role(group.method, group.pairs) for group in groups]
    trained = [fact for fact, role in zip(facts, roles, strict=True) if role not in (*FLOORS, "supervised", "external")]
    differing = [name for name in TOLD if len({fact[name] for fact in (facts if name == "backbone" else trained)}) > 1]
    kinds = {one.kind for group in groups for one in group.estimates.values() if one is not None}
    kind = next((kind for kind in (SEEDS, ITEMS) if kind in kinds), "")
    lines = [
        [words_of.run(fact, differing), str(group.seeds), *(_text(group.estimates[name], kind) for name in families)]
        for fact, group in zip(facts, groups, strict=True)
    ]
    own = [at for at, role in enumerate(roles) if role not in (*FLOORS, *CEILINGS)]
    most = max((groups[at].seeds for at in own), default=0)
    full = [at for at in own if groups[at].seeds == most]
    own = full if len(full) > 1 else own
    title = f"What was trained: mean over test sets, in %{kind and f', with 95 % interval over {kind}'}"
    if "probe" in families:
        title += f"; linear probe: objective {visible(probe_objective(row['metric'] for row in rows))}"
    facts_told = f" ({', '.join(TOLD[name] for name in differing)})" if differing else ""
    heads = (f"trained on{facts_told}", "seeds", *(HEADS[name] for name in families))
    note = (
        "Bold: the highest of those with the most seeds (of all, if only one has them), without floor (the untrained "
        "network) and ceilings (supervised, pairs by label)."
    )
    if kind == SEEDS:
        note += " Lines with fewer than three seeds have no interval; contrasts with them are over their seeds alone."
    if "saliency" in families and (layers := settings.methods.evaluation.get("saliency.layers")):
        note += f" Saliency is that of {layers[0]}, on sets with masks."
    table = Table("runs", title, heads, lines, _best(lines, own), note)
    common = [trained[0][name] for name in TOLD if trained and name not in differing and trained[0][name]]
    return RunTable(kind, ", ".join(common), table, [arm_class(group.pairs) for group in groups])


def _text(estimate: Estimate | None, kind: str) -> str:
    if estimate is None:
        return "–"
    if estimate.kind != kind or estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def _best(lines: Sequence[Sequence[str]], own: Sequence[int]) -> set[tuple[int, int]]:
    """Line and column of the highest mean among ``own`` lines, if they differ; ties as shown."""
    best = set()
    for column in range(2, len(lines[0])):
        values = {at: float(lines[at][column].split()[0].replace("−", "-")) for at in own if lines[at][column] != "–"}
        if len(set(values.values())) > 1:
            best |= {(at, column) for at, value in values.items() if value == max(values.values())}
    return best


def _cited(cell: str, source: Source, rows: str) -> Number:
    text, _, interval = cell.partition(" ")
    return Number(text, interval, None if text == "–" else source, rows)
