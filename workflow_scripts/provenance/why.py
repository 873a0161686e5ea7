"""Where a file or a number comes from, as a tree for people and as JSON."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from humanize import naturalsize

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.code_equivalence import accepted
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed, redacted
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.core.sources import LISTING, read_listing
from workflow_scripts.provenance.nodes import Input, Node, Place, ancestors, inputs_of, read_node
from workflow_scripts.provenance.run_metadata import (
    UNKNOWN,
    code_text,
    flat,
    rows_text,
    run_metadata,
    short,
    time_text,
    value_text,
)
from workflow_scripts.provenance.summary_tables import SUMMARY, Row, read_rows

WIDTH, NAMES_SHOWN = 100, 2
MINUS = "\N{MINUS SIGN}"  # of pages and terminals, in place of the hyphens of tables
NARROWEST = 40  # characters of text beside a deep tree
UNSET: tuple[object, ...] = (None, "", [], {})  # settings without a value
TABLES = {".parquet": "rows", ".csv": "rows", ".contrasts.parquet": "contrasts", ".contrasts.csv": "contrasts"}
WORLD, ANNOTATIONS = ("demo_world", ".annotations.zip"), "source/annotations"


def _fault(one: Input) -> str | None:
    if one.path is None:
        return f"read in place, content sha256 {one.recorded_hash}"
    name = f"{one.path.parent.name}/{one.path.name}"
    if one.node is None:
        return f"{name} is missing; sha256 {one.recorded_hash} was read"
    if one.node.hash != one.recorded_hash:
        return f"{name} has changed; sha256 {one.recorded_hash} was read"
    return None


def annotation_zips(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """What the annotations came from: ``artifact``, ``file`` and ``sha256`` of each zip among these artifacts.

    The demo's world makes a zip of its own. A source of many files counts as one, under the digest of its listing.
    """
    found = []
    for node in nodes:
        if node.stage == WORLD[0] and WORLD[1] in node.files:
            entry = {"file": f"{node.name}{WORLD[1]}", "sha256": node.files[WORLD[1]]["sha256"]}
            found.append({"artifact": node.label, **entry})
        elif node.label == ANNOTATIONS:
            found.append({"artifact": node.label, **_listed(node)})
        elif node.stage == "annotations":
            read = [edge for edge in inputs_of(node) if edge.name == "annotations" and edge.path is None]
            found += [{"artifact": node.label, "file": None, "sha256": one.recorded_hash} for one in read]
    return found


def _listed(node: Node) -> dict[str, Any]:
    """Name and hash of a source's one file; of several, or if the listing is missing, the hash of the whole."""
    try:
        files = read_listing(node.file(LISTING))
    except (OSError, Unfit):
        return {"file": None, "sha256": None}
    if len(files) == 1:
        return {"file": files[0].get("path") or None, "sha256": files[0].get("sha256")}
    return {"file": f"{len(files)} files", "sha256": digest(files)}


@dataclass(frozen=True)
class Cell:
    """One row of a table: its values by column, and the artifacts that it was computed from."""

    row: dict[str, Any]
    sources: tuple[Input, ...]


def cells(summary: Node, suffix: str, wanted: Mapping[str, str]) -> list[Cell]:
    """The rows of ``summary``'s table whose columns have the ``wanted`` values.

    Raises:
        PipelineError: the file is none of the summary's tables, a column is not there, or no row has these values.
    """
    kind = TABLES.get(suffix) if summary.stage == SUMMARY else None
    if kind is None:
        advice = f"rows can be selected in summary/summary with {', '.join(TABLES)}"
        raise PipelineError("not a table of the summary", summary.path, suffix or "the artifact", advice)
    rows = read_rows(summary, kind)
    columns = rows[0].values if rows else {}
    if unknown := [column for column in wanted if column not in columns]:
        advice = f"it has {', '.join(columns) or 'no rows'}"
        raise PipelineError("unknown column", summary.file(suffix), unknown[0], advice)
    found = [
        Cell(dict(row.values), tuple(_listed_source(summary, file, sha256) for file, sha256 in row.files.items()))
        for row in rows
        if all(str(row.values[column]) in (value, value.replace(MINUS, "-")) for column, value in wanted.items())
    ]
    if not found:
        value = " ".join(f"{column}={text}" for column, text in wanted.items())
        raise PipelineError("no matching row", summary.file(suffix), value, _choices(rows, wanted))
    return found


def _choices(rows: list[Row], wanted: Mapping[str, str]) -> str:
    """Advice: values of the first column that no row has."""
    for column, value in wanted.items():
        there = sorted({str(row.values[column]) for row in rows})
        if value not in there:
            return f"{column} is one of {', '.join(there[:20])}{' ...' if len(there) > 20 else ''}"
    return "each value occurs, but no row has all of them"


def _listed_source(summary: Node, file: str, sha256: str) -> Input:
    """The artifact behind a file of the summary's list: ``<stage>/<name><suffix>`` with its manifest's hash."""
    stage, _, name = file.partition("/")
    while name:
        path = summary.study / stage / f"{name}{MANIFEST}"
        if path.is_file():
            return Input(stage, sha256, path, read_node(path))
        name = name.rpartition(".")[0]
    return Input(stage, sha256, None, None)


# The answer ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Why:
    """The answer: the requested file and rows, and all artifacts that it was made from, by label."""

    place: Place
    cells: tuple[Cell, ...]
    nodes: tuple[Node, ...]
    accepted: tuple[dict[str, str], ...]


def why(place: Place, cells: Sequence[Cell] = ()) -> Why:
    """The chain behind a file; for rows of the summary, the chain behind what they were computed from."""
    sources = [one.node for cell in cells for one in cell.sources if one.node is not None]
    nodes = sorted(ancestors(sources if cells else [place.node]).values(), key=lambda node: node.label)
    return Why(place, tuple(cells), tuple(nodes), tuple(accepted(place.node.study.parent)))


# As JSON -------------------------------------------------------------------------------------------------------------


def as_json(found: Why) -> dict[str, Any]:
    """Every artifact of the chain with its metadata; inputs by name, with recorded and current hash."""
    artifacts = {
        node.label: run_metadata(node)
        | {"inputs": [{"name": edge.name, **_source(edge)} for edge in inputs_of(node)]}
        | {"accepted": _acceptances([node], found.accepted)}
        for node in found.nodes
    }
    return {
        "file": f"{found.place.node.label}{found.place.suffix}",
        "file_sha256": found.place.node.files.get(found.place.suffix, {}).get("sha256"),
        "artifact": found.place.node.label,
        "cells": [{"row": cell.row, "sources": [_source(one) for one in cell.sources]} for cell in found.cells],
        "artifacts": artifacts,
        "annotations": annotation_zips(found.nodes),
    }


def _acceptances(nodes: Sequence[Node], entries: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Which edits of the code count as the code that made these artifacts of one stage."""
    codes = {(node.record or {}).get("code") for node in nodes}
    return [piece for piece in entries if nodes and piece["stage"] == nodes[0].stage and piece["counts_as"] in codes]


def _source(one: Any) -> dict[str, Any]:
    today = one.node.hash if one.node else None
    return {"artifact": one.node.label if one.node else None, "recorded": one.recorded_hash, "today": today}


# As text -------------------------------------------------------------------------------------------------------------


def as_text(found: Why) -> str:
    """The tree; its last line is the hash of the annotations' zip."""
    lines, tree = _head(found), Tree(found)
    sources = {one.path: one for cell in found.cells for one in cell.sources}
    for branch in grouped(sources.values()) if found.cells else [("", [found.place.node], [])]:
        lines += tree.lines(*branch, "", "")
    zips = annotation_zips(found.nodes)
    for source in zips:
        name = f"{source['artifact']}, {source['file']}" if source["file"] else source["artifact"]
        lines.append(f"annotations ({name}): sha256 {source['sha256'] or UNKNOWN}")
    return printed(lines if zips else [*lines, "annotations: not among its inputs"])


def _head(found: Why) -> list[str]:
    node, suffix = found.place.node, found.place.suffix
    entry = node.files.get(suffix)
    lines = [f"{node.label}{suffix}" + (f"  sha256 {entry['sha256']}" if entry else "")]
    if suffix and entry is None:
        lines[0] += "  (beside the manifest: times and attempts, not hashed)"
    for cell in found.cells:
        text = " ".join(f"{column}={value_text(one)}" for column, one in cell.row.items())
        lines += _wrapped(text, "  ", "    ")
    return lines


class Tree:
    """Writes the tree: a branch for the artifacts of one role and stage, whose inputs are shown where it comes first.

    Branches are numbered in the order of output.
    """

    def __init__(self, found: Why) -> None:
        self._known = {node.path: node for node in found.nodes}
        self._accepted = found.accepted
        self._numbers: dict[tuple[Path, ...], int] = {}
        self._count = count(1)

    def lines(self, role: str, nodes: Sequence[Node], faults: Sequence[str], first: str, rest: str) -> list[str]:
        """The lines of a branch.

        Args:
            role: name under which the consumer reads the artifacts; empty for the root.
            nodes: the artifacts; none for a source that was read in place, or if all are missing.
            faults: mismatches between these artifacts and the consumer's record.
            first: what the first line begins with.
            rest: what the others begin with.
        """
        key = tuple(sorted(node.path for node in nodes))
        again = bool(nodes) and key in self._numbers
        if not again:
            self._numbers[key] = next(self._count)
        inputs = [] if again else grouped(edge for node in nodes for edge in inputs_of(node, self._known))
        bar = f"{rest}│  " if inputs else f"{rest}   "
        title = f"[{self._numbers[key]}] {f'{role}: ' if role else ''}{_title(nodes, again)}"
        lines = _wrapped(title, first, bar)
        lines += [f"{rest}│  ! {fault}" for fault in faults]  # each on one line, with the sha256 in it
        for label, text in () if again else _details(nodes, self._accepted):
            lines += _wrapped(text, f"{bar}{label:<9}", f"{bar}{'':<9}")
        for place, branch in enumerate(inputs, 1):
            ends = ("└─ ", "   ") if place == len(inputs) else ("├─ ", "│  ")
            lines += self.lines(*branch, rest + ends[0], rest + ends[1])
        return lines


def grouped(inputs: Iterable[Input]) -> list[tuple[str, list[Node], list[str]]]:
    """Role, artifacts and faults of each branch: the inputs of one name and stage."""
    groups: dict[tuple[str, str | None], tuple[dict[Path, Node], dict[str, None]]] = {}
    for edge in inputs:
        nodes, faults = groups.setdefault((edge.name, edge.node.stage if edge.node else None), ({}, {}))
        if edge.node is not None:
            nodes[edge.node.path] = edge.node
        if fault := _fault(edge):
            faults[fault] = None
    return [(role, list(nodes.values()), list(faults)) for (role, _), (nodes, faults) in groups.items()]


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """Lines of at most :data:`WIDTH` characters, unless a name or the tree is wider."""
    width = max(WIDTH, len(rest) + NARROWEST)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )


def _title(nodes: Sequence[Node], again: bool) -> str:
    if not nodes:
        return "no such artifact now"
    if len(nodes) == 1:
        title = f"{nodes[0].label}  {short(nodes[0].hash)}"
    else:
        title = f"{nodes[0].stage}, {len(nodes):,} artifacts"
        names = ", ".join(node.name for node in nodes[:NAMES_SHOWN])
        title += "" if again else f": {names}{', ...' if len(nodes) > NAMES_SHOWN else ''}"
    return f"{title}, as above" if again else title


def _details(nodes: Sequence[Node], accepted: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    known = [run_metadata(node) for node in nodes if node.record]
    lines = [("manifest", f"{node.label}: {node.manifest_file.fault}") for node in nodes if node.manifest_file.fault]
    lines += [("record", f"{node.label}: {node.record_file.fault}") for node in nodes if node.record_file.fault]
    counted = [rows for node in nodes if (rows := node.manifest.get("rows"))]
    if counted:
        dropped: Counter[str] = Counter()
        for rows in counted:
            dropped.update(rows["dropped"])
        sums = {name: sum(rows[name] for rows in counted) for name in ("in", "out")}
        lines.append(("rows", rows_text({**sums, "dropped": dropped})))
    if not known:
        return lines
    lines += [("from", redacted(node.at)) for node in nodes if node.at is not None]
    settings = [flat(run["settings"]) for run in known]
    first, names = settings[0], sorted({name for each in settings for name in each})
    same = {name: first[name] for name in names if all(name in one and one[name] == first[name] for one in settings)}
    differ = [name for name in names if name not in same]
    shown = ", ".join(f"{name}={value_text(one)}" for name, one in same.items() if one not in UNSET)
    each = f"each its own: {', '.join(differ)}" if differ else ""
    if shown or each:
        lines.append(("settings", "; ".join(text for text in (shown, each) if text)))
    codes = sorted({code_text(one["code"], one["git"]) for one in known})
    lines.append(("code", "; ".join(codes)))
    for one in _acceptances(nodes, accepted):
        text = f"{time_text(one['when'])}: {short(one['code'])} counts as this code; {one['reason']}"
        lines.append(("accepted", text))
    lines.append(("computed", _computed(known)))
    if placed := [run["placed"] for run in known if run["placed"]]:
        many = f", {len(placed):,} of {len(known):,}" if len(known) > 1 else ""
        lines.append(("cached", f"taken from the cache {time_text(max(placed))}{many}"))
    return lines


def _computed(known: Sequence[dict[str, Any]]) -> str:
    starts, ends = [one["start"] for one in known if one["start"]], [one["end"] for one in known if one["end"]]
    seconds = [run["seconds"] for run in known if run["seconds"] is not None]
    peaks = [peak for run in known if (peak := run["figures"].get("memory_peak_bytes"))]
    period = time_text(min(starts, default=None))
    period += f" to {time_text(max(ends, default=None))}" if len(known) > 1 else ""
    text = f"{period}, {span(sum(seconds)) if seconds else UNKNOWN} on {_where(known)}"
    return text + (f", memory {naturalsize(max(peaks))}" if peaks else "")


def _where(known: Sequence[dict[str, Any]]) -> str:
    places = set()
    for run in known:
        environment = run["environment"] or {}
        job = f", SLURM job {run['slurm_job']}" if run["slurm_job"] else ""
        threads = environment.get("threads", UNKNOWN)
        device = ", ".join(run["gpu_model"] or ()) or environment.get("device") or "unknown device"
        places.add(f"{run['host'] or 'an unknown host'} ({device}, math threads {threads}{job})")
    shown = sorted(places)
    return ", ".join(shown[:NAMES_SHOWN]) + (
        f" and {len(shown) - NAMES_SHOWN} more" if len(shown) > NAMES_SHOWN else ""
    )
