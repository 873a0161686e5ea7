"""The table of what was trained: runs that differ in their seed alone, in words, with intervals of one kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.reporting.sections.headline import FAMILIES, Arm, Estimate, arms
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Number, Source
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.terms import CEILINGS, FLOORS, Words
from workflow_scripts.reporting.text import arm_class, percent

Row = dict[str, Any]
TOLD = {"method": "method", "augmentation": "augmentation", "tag": "tag", "backbone": "network", "length": "length"}
HEADS = FAMILIES | {"saliency": "Saliency, corrected AP"}
SEEDS, ITEMS = "seeds", "test items"


@dataclass(frozen=True)
class RunTable:
    """The table.

    Attributes:
        kind: what all of its intervals are over; empty if there are none.
        common: what all trained runs have in common, in words; may be empty.
        table: its text; bold is the best of each column, without floors and ceilings.
        css: colour class of each line.
    """

    kind: str
    common: str
    table: Table
    css: Sequence[str]

    def numbers(self, source: Source) -> list[list[Number]]:
        """The cells of each line after its seeds, citing the summary."""
        return [
            [_number(cell, source, f"mean of {row[0]} over shared datasets") for cell in row[2:]]
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
    kind = SEEDS if _has(groups, SEEDS) else ITEMS if _has(groups, ITEMS) else ""
    lines = [
        [words_of.run(fact, differing), str(group.seeds), *(_text(group.estimates[name], kind) for name in families)]
        for fact, group in zip(facts, groups, strict=True)
    ]
    own = [at for at, role in enumerate(roles) if role not in (*FLOORS, *CEILINGS)]
    title = f"What was trained: mean over test sets, in %{kind and f', with 95 % interval over {kind}'}"
    facts_told = f" ({', '.join(TOLD[name] for name in differing)})" if differing else ""
    heads = (f"trained on{facts_told}", "seeds", *(HEADS[name] for name in families))
    note = "Bold: the highest that is neither floor nor ceiling."
    if kind == SEEDS:
        note += " Lines with fewer than three seeds have no interval."
    if "saliency" in families and (layers := settings.methods.evaluation.get("saliency.layers")):
        note += f" Saliency is that of {layers[0]}."
    table = Table("runs", title, heads, lines, _best(lines, own), note)
    common = [trained[0][name] for name in TOLD if trained and name not in differing and trained[0][name]]
    return RunTable(kind, ", ".join(common), table, [arm_class(group.pairs) for group in groups])


def _has(groups: Sequence[Arm], kind: str) -> bool:
    return any(one is not None and one.kind == kind for group in groups for one in group.estimates.values())


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
        values = {at: float(lines[at][column].split()[0]) for at in own if lines[at][column] != "–"}
        if len(set(values.values())) > 1:
            best |= {(at, column) for at, value in values.items() if value == max(values.values())}
    return best


def _number(cell: str, source: Source, rows: str) -> Number:
    text, _, interval = cell.partition(" ")
    return Number(text, interval, None if text == "–" else source, rows)
