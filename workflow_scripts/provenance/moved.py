"""Which numbers and verdicts differ between two states of a study, each with the first ancestors that do, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors.text import printed
from workflow_scripts.provenance.diff import ABSENT, Findings, Sides, Walk
from workflow_scripts.provenance.nodes import REPORT, Node, inputs_of, locate, read_node
from workflow_scripts.provenance.run_metadata import value_text
from workflow_scripts.provenance.summary_tables import (
    CONTRASTS,
    KINDS,
    NAMED,
    SUMMARY,
    Row,
    has_verdict,
    read_rows,
    title_of,
)

FIGURES = ("value", "difference", "low", "high", "n", "p", "p_adjusted", "detectable", "verdict", "reason")
SHOWN, NAMES_SHOWN = 20, 3


@dataclass(frozen=True)
class Moved:
    """A number or verdict that differs.

    Attributes:
        kind: of the table.
        title: values by which its row is found.
        figures: column -> values of both; ``not set`` where one side has no such row.
        because: the first ancestors that differ.
        joint: whether only through the variance and the correction that verdicts share.
    """

    kind: str
    title: Mapping[str, Any]
    figures: Mapping[str, Sides]
    because: tuple[Findings, ...]
    joint: bool


def state_of(path: Path) -> Node:
    """The report of a study's folder, or without one its summary; else the artifact behind a file.

    Raises:
        PipelineError: there is none.
    """
    for label in (REPORT, f"{SUMMARY}/{SUMMARY}"):
        manifest = path / f"{label}{MANIFEST}"
        if manifest.is_file():
            return read_node(manifest)
    return locate(path).node


def moved(a: Node, b: Node) -> list[Moved] | None:
    """What differs between the numbers of two reports or summaries, in order of the tables; None of other artifacts.

    Raises:
        PipelineError: a table is missing or damaged.
    """
    old, new = _summary(a), _summary(b)
    if old is None or new is None:
        return None
    walk, sources = Walk(), (_sources(old), _sources(new))
    found = []
    for kind in KINDS:
        for ours, theirs in _paired(read_rows(old, kind), read_rows(new, kind)):
            figures = _figures(ours, theirs)
            if figures:
                because = _because(walk, sources, (ours.files, theirs.files))
                joint = not because and old.hash != new.hash
                title = ours.values or theirs.values
                found.append(Moved(kind, title, figures, because or walk.visit(old, new), joint))
    return found


def _summary(node: Node) -> Node | None:
    """The summary that a report was made from, or the artifact itself."""
    if node.stage == SUMMARY:
        return node
    if node.label != REPORT:
        return None
    return next((one.node for one in inputs_of(node) if one.node is not None and one.node.stage == SUMMARY), None)


def _sources(summary: Node) -> dict[str, Node]:
    """What a summary was made from, by hash."""
    return {one.recorded_hash: one.read for one in inputs_of(summary) if one.read is not None}


def _paired(a: Sequence[Row], b: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Rows of the same title side by side, in order; an empty row where one side has none."""
    waiting: dict[tuple[Any, ...], list[Row]] = {}
    for row in b:
        waiting.setdefault(_key(row), []).append(row)
    for row in a:
        same = waiting.get(_key(row))
        yield row, same.pop(0) if same else Row({}, {})
    yield from ((Row({}, {}), row) for rows in waiting.values() for row in rows)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row.values.get(name) for name in NAMED)


def _figures(a: Row, b: Row) -> dict[str, Sides]:
    if not a.values or not b.values:
        name = next((one for one in FIGURES if one in a.values or one in b.values), "row")
        return {name: (a.values.get(name, ABSENT), b.values.get(name, ABSENT))}
    pairs = {name: (a.values.get(name), b.values.get(name)) for name in FIGURES}
    return {name: sides for name, sides in pairs.items() if sides[0] != sides[1]}


def _because(
    walk: Walk, sources: tuple[Mapping[str, Node], Mapping[str, Node]], files: tuple[Mapping[str, str], ...]
) -> tuple[Findings, ...]:
    """The first ancestors in which the files behind a row differ."""
    found: dict[int, Findings] = {}
    for file in files[0].keys() & files[1].keys():
        a, b = (side.get(listed[file]) for side, listed in zip(sources, files, strict=True))
        if a is not None and b is not None and a.hash != b.hash:
            found |= {id(one): one for one in walk.visit(a, b)}
    return tuple(sorted(found.values(), key=lambda one: str(one.a.path)))


def as_text(found: Sequence[Moved]) -> str:
    """Verdicts first; long lists are cut, and say so."""
    verdicts = [one for one in found if has_verdict(one.title)]
    differences = [one for one in found if one.kind == CONTRASTS and not has_verdict(one.title)]
    numbers = [one for one in found if one.kind != CONTRASTS]
    lines = [f"moved: {len(verdicts):,} verdicts, {len(differences):,} other differences, {len(numbers):,} numbers"]
    for members in (verdicts, differences, numbers):
        for one in members[:SHOWN]:
            sides = ", ".join(f"{name} {value_text(a)} | {value_text(b)}" for name, (a, b) in one.figures.items())
            lines += [f"  {title_of(one.title)}: {sides}", f"    {_reasons(one)}"]
        lines += [f"  ... and {len(members) - SHOWN:,} more; --json lists all"] if len(members) > SHOWN else []
    return printed(["", *lines])


def _reasons(one: Moved) -> str:
    texts = [f"{finding.a.label} ({_reason(finding)})" for finding in one.because[:NAMES_SHOWN]]
    texts += [f"{len(one.because) - NAMES_SHOWN:,} more"] if len(one.because) > NAMES_SHOWN else []
    joint = "the variance and the correction that verdicts share, or the summary itself: " if one.joint else ""
    return f"because of {joint}{'; '.join(texts)}"


def _reason(finding: Findings) -> str:
    texts = []
    for kind, names in finding.reasons.items():
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        texts.append(f"{kind}: {', '.join(names[:NAMES_SHOWN])}{more}")
    return "; ".join(texts) or "the same code, settings and inputs: edited, or not reproducible"


def as_json(found: Sequence[Moved]) -> list[dict[str, Any]]:
    """The same for programs, with nothing cut."""
    return [
        {
            "table": one.kind,
            "row": {name: one.title[name] for name in NAMED if one.title.get(name)},
            "verdict": has_verdict(one.title),
            "figures": {name: list(sides) for name, sides in one.figures.items()},
            "because": [{"a": root.a.label, "b": root.b.label, "why": root.reasons} for root in one.because],
            "joint": one.joint,
        }
        for one in found
    ]
