"""The tables in ``docs/`` that follow from declarations: files and rates of stages, datasets, and costs of a study."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from humanize import naturalsize

from workflow_scripts.core.declaration.facts import File, Load
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import BASE
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.evaluation.datasets.splits import SPLITS
from workflow_scripts.study.config.stages import declared_stages, facts, stages_in_order
from workflow_scripts.study.estimates.cost import SIZES, costs, table
from workflow_scripts.study.estimates.disk import remaining
from workflow_scripts.study.estimates.requests import Requests
from workflow_scripts.study.plan import configured

PRESET = "profiles/lgssl/study.yaml"
LARGE = 5e9  # bytes from which a stage is listed


def with_tables(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """A page with its tables: each replaces what is between ``<!-- generated: NAME -->`` and ``<!-- end -->``.

    Raises:
        PipelineError: the page has no place for one of them.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, content in tables.items():
        start, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found or start in after:
            value = f"{text.count(start)} of {start.strip()}"
            raise PipelineError("no place for a table", page, value, f"write it once, followed by {end}")
        text = f"{before}{start}{content()}\n{end}{after}"
    return text


def files_table() -> str:
    """All data files, in the order of the stages."""
    rows = ["| artifact | files |", "|---|---|"]
    for stage in declared_stages():
        name = stage.artifact.replace("{", "<").replace("}", ">")
        files = "; ".join(_described(suffix, file) for suffix, file in facts(stage.name).files.items())
        rows.append(f"| `{stage.name}/{name}` | {files} |")
    return "\n".join(rows)


def _described(suffix: str, file: File) -> str:
    return f"`{suffix}`{'' if file.hashed else ' (not hashed)'}: {file.holds}"


def datasets_table() -> str:
    """All downstream sets of the registry: contents, and the metric."""
    rows = ["| name | content | train | val | test | classes | metric |", "|---|---|--:|--:|--:|--:|---|"]
    for row in SETS.values():
        sizes = " | ".join(f"{row.sizes[split]:,}" if split in row.sizes else "" for split in SPLITS)
        rows.append(f"| `{row.name}` | {row.summary} | {sizes} | {row.classes} | {row.metric} |")
    return "\n".join(rows)


def origins_table() -> str:
    """Where the downstream sets come from: licence, page, and what is put where."""
    head = ["| name | licence | page | to put there by hand |", "|---|---|---|---|"]
    rows = [f"| `{row.name}` | {row.licence} | <{row.homepage}> | {row.place} |" for row in SETS.values()]
    return "\n".join([*head, *rows])


def rates_table() -> str:
    """The cost of one unit of each stage's work, and the sources of the figures."""
    alone = Load(rows=1, images=1, labelled=1, masked=1, tested=1, settings={})
    with_backbone = replace(alone, forward_gflop=1, views=1, passes=1)
    rows = ["| stage | for each | core ms | GFLOP | source |", "|---|---|--:|--:|---|"]
    for stage in stages_in_order():
        cost = facts(stage).cost
        varies = cost.gflop(alone) != cost.gflop(with_backbone)
        gflop = "of the backbone" if varies else _number(cost.gflop(alone))
        rows.append(f"| {stage} | {cost.per} | {_number(cost.core_ms)} | {gflop} | {cost.source} |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:,.10g}" if value else ""


def cost_table() -> str:
    """The cost of the study of ``config.yaml`` at the size of RedCaps-2020."""
    return _costs(*next(iter(SIZES.items())))


def totals_table() -> str:
    """The last rows of this table for all of RedCaps, in the study of ``config.yaml`` and in the original one."""
    size = list(SIZES.items())[-1]
    studies = {BASE: _costs(*size), PRESET: _costs(*size, ROOT / PRESET)}
    totals = [text.splitlines()[-1].replace("| all |", f"| `{study}` |") for study, text in studies.items()]
    return "\n".join(["| study | jobs | SLURM jobs | core hours | GPU hours |", "|---|--:|--:|--:|--:|", *totals])


def _costs(name: str, rows: int, *overlays: Path) -> str:
    return table(f"{name} ({rows:,} rows)", costs(configured(overlays), rows))


def disk_table() -> str:
    """The stages of the study of ``config.yaml`` that take the most space, by their upper bounds."""
    units = configured(())
    every = {(stage, name) for stage in stages_in_order() for name in units.needed(stage)}
    need = remaining(units, ROOT / "nowhere" / units.study.study, every)
    rows = [f"| {stage} | {naturalsize(size)} |" for stage, size in need.items() if size >= LARGE]
    return "\n".join(["| stage | at most |", "|---|--:|", *sorted(rows)])


def requests_table() -> str:
    """The most memory and time that jobs of each stage of the study of ``config.yaml`` request."""
    units = configured(())
    requests, rows = Requests(units, ROOT / "nowhere"), ["| stage | GB | minutes |", "|---|--:|--:|"]
    for stage in declared_stages():
        jobs = [stage.unit_of(name) for name in units.needed(stage.name)]
        if jobs and not facts(stage.name).resources.local:
            memory = max(requests.memory_mb(stage.name, unit) for unit in jobs)
            minutes = max(requests.minutes(stage.name, unit) for unit in jobs)
            rows.append(f"| {stage.name} | {memory / 1e3:.1f} | {minutes:,} |")
    return "\n".join(rows)


TABLES = {
    "docs/stages.md": {"files": files_table},
    "docs/runs.md": {"datasets": datasets_table, "origins": origins_table},
    "docs/cost.md": {
        "costs": cost_table,
        "totals": totals_table,
        "disk": disk_table,
        "requests": requests_table,
        "rates": rates_table,
    },
}
"""The tables of each page, by their names there."""
