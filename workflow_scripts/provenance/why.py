"""Where a file or a number comes from, as a tree for people and as JSON."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from humanize import naturalsize

from workflow_scripts.core.code_equivalence import accepted
from workflow_scripts.core.errors.text import printed, redacted
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.provenance import format as fmt
from workflow_scripts.provenance.cells import Cell
from workflow_scripts.provenance.chain import Branch, Chain, annotation_zips
from workflow_scripts.provenance.locate import Place
from workflow_scripts.provenance.nodes import Node, inputs_of
from workflow_scripts.provenance.run_metadata import flat, run_metadata, shared, total_rows

WIDTH, NAMES_SHOWN = 118, 2
UNSET: tuple[object, ...] = (None, "", [], {})  # settings without a value


@dataclass(frozen=True)
class Why:
    """The answer: the requested file and rows, the tree, and all artifacts in it."""

    place: Place
    cells: tuple[Cell, ...]
    branches: tuple[Branch, ...]
    nodes: tuple[Node, ...]
    accepted: tuple[dict[str, str], ...]


def why(place: Place, cells: Sequence[Cell] = (), together: bool = True) -> Why:
    """The chain behind a file; for rows of the summary, the chain behind what they were computed from."""
    chain = Chain(together)
    if cells:
        sources = {one.path: one for cell in cells for one in cell.sources}
        branches = chain.branches(sources.values())
    else:
        branches = (chain.root(place.node),)
    return Why(place, tuple(cells), branches, tuple(chain.nodes()), tuple(accepted(place.node.study.parent)))


# As JSON -------------------------------------------------------------------------------------------------------------


def as_json(found: Why) -> dict[str, Any]:
    """Every artifact of the chain with its metadata; inputs by name, with recorded and current hash."""
    artifacts = {
        node.label: {**run_metadata(node), "inputs": _inputs(node), "accepted": _acceptances([node], found.accepted)}
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
    return [one for one in entries if nodes and one["stage"] == nodes[0].stage and one["counts_as"] in codes]


def _inputs(node: Node) -> list[dict[str, Any]]:
    return [{"name": one.name, **_source(one)} for one in inputs_of(node)]


def _source(one: Any) -> dict[str, Any]:
    today = one.node.hash if one.node else None
    return {"artifact": one.node.label if one.node else None, "recorded": one.recorded_hash, "today": today}


# As text -------------------------------------------------------------------------------------------------------------


def as_text(found: Why) -> str:
    """The tree; its last line is the hash of the annotations' zip."""
    lines = _head(found)
    for branch in found.branches:
        lines += _branch_lines(found, branch, "", "")
    zips = annotation_zips(found.nodes)
    for one in zips:
        name = f"{one['artifact']}, {one['file']}" if one["file"] else one["artifact"]
        lines.append(f"annotations ({name}): sha256 {one['sha256'] or fmt.UNKNOWN}")
    return printed(lines if zips else [*lines, "annotations: not among its inputs"])


def _head(found: Why) -> list[str]:
    node, suffix = found.place.node, found.place.suffix
    entry = node.files.get(suffix)
    lines = [f"{node.label}{suffix}" + (f"  sha256 {entry['sha256']}" if entry else "")]
    if suffix and entry is None:
        lines[0] += "  (beside the manifest: times and attempts, not hashed)"
    for cell in found.cells:
        lines.append("  " + " ".join(f"{column}={fmt.value(one)}" for column, one in cell.row.items()))
    return lines


def _branch_lines(found: Why, branch: Branch, first: str, rest: str) -> list[str]:
    role = f"{branch.role}: " if branch.role else ""
    lines = [f"{first}[{branch.number}] {role}{_title(branch)}"]
    lines += [f"{rest}│  ! {fault}" for fault in branch.faults]
    if branch.again:
        return lines
    bar = f"{rest}│  " if branch.inputs else f"{rest}   "
    for label, text in _details(branch.nodes, found.accepted):
        head = f"{bar}{label:<9}"
        lines += textwrap.wrap(
            text, WIDTH, initial_indent=head, subsequent_indent=f"{bar}{'':<9}", break_on_hyphens=False
        )
    for place, one in enumerate(branch.inputs, 1):
        last = place == len(branch.inputs)
        lines += _branch_lines(found, one, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
    return lines


def _title(branch: Branch) -> str:
    nodes = branch.nodes
    if not nodes:
        return "no such artifact now"
    if len(nodes) == 1:
        title = f"{nodes[0].label}  {fmt.short(nodes[0].hash)}"
    else:
        title = f"{nodes[0].stage}, {len(nodes):,} artifacts"
        names = ", ".join(node.name for node in nodes[:NAMES_SHOWN])
        title += "" if branch.again else f": {names}{', ...' if len(nodes) > NAMES_SHOWN else ''}"
    return f"{title}, as above" if branch.again else title


def _details(nodes: Sequence[Node], accepted: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    known = [run_metadata(node) for node in nodes if node.record]
    lines = [("manifest", f"{node.label}: {node.manifest_fault}") for node in nodes if node.manifest_fault]
    lines += [("record", f"{node.label}: {node.record_fault}") for node in nodes if node.record_fault]
    counts = total_rows(nodes)
    if counts:
        lines.append(("rows", fmt.rows(counts)))
    if not known:
        return lines
    lines += [("from", str(place)) for node in nodes if (place := _place_outside(node)) is not None]
    same, differ = shared([flat(one["settings"]) for one in known])
    shown = ", ".join(f"{name}={fmt.value(one)}" for name, one in same.items() if one not in UNSET)
    each = f"each its own: {', '.join(differ)}" if differ else ""
    if shown or each:
        lines.append(("settings", "; ".join(text for text in (shown, each) if text)))
    codes = sorted({fmt.code(one["code"], one["git"]) for one in known})
    lines.append(("code", "; ".join(codes)))
    for one in _acceptances(nodes, accepted):
        text = f"{fmt.when(one['when'])}: {fmt.short(one['code'])} counts as this code; {one['reason']}"
        lines.append(("accepted", text))
    lines.append(("computed", _computed(known)))
    lines += [("cached", text) for text in [_cached(known)] if text]
    return lines


def _place_outside(node: Node) -> str | None:
    """Location of an external source; only its content is in the key."""
    at = (node.record or {}).get("settings", {}).get("at") if node.stage == "source" else None
    return None if at is None else redacted(str(at))


def _computed(known: Sequence[dict[str, Any]]) -> str:
    starts, ends = [one["start"] for one in known if one["start"]], [one["end"] for one in known if one["end"]]
    seconds = [one["seconds"] for one in known if one["seconds"] is not None]
    peaks = [one["peak_bytes"] for one in known if one["peak_bytes"] is not None]
    period = fmt.when(min(starts, default=None))
    period += f" to {fmt.when(max(ends, default=None))}" if len(known) > 1 else ""
    text = f"{period}, {span(sum(seconds)) if seconds else fmt.UNKNOWN} on {_where(known)}"
    return text + (f", peak {naturalsize(max(peaks))}" if peaks else "")


def _cached(known: Sequence[dict[str, Any]]) -> str:
    """When artifacts were taken from the cache; empty when all of them were computed for this study."""
    placed = sorted(one["placed"] for one in known if one["placed"])
    if not placed:
        return ""
    many = f", {len(placed):,} of {len(known):,}" if len(known) > 1 else ""
    return f"taken from the cache {fmt.when(placed[-1])}{many}"


def _where(known: Sequence[dict[str, Any]]) -> str:
    places = set()
    for one in known:
        environment = one["environment"] or {}
        job = f", SLURM job {one['slurm_job']}" if one["slurm_job"] else ""
        threads = environment.get("threads", fmt.UNKNOWN)
        device = ", ".join(one["gpu_model"] or ()) or environment.get("device") or "unknown device"
        places.add(f"{one['host'] or 'an unknown host'} ({device}, math threads {threads}{job})")
    shown = sorted(places)
    return ", ".join(shown[:NAMES_SHOWN]) + (
        f" and {len(shown) - NAMES_SHOWN} more" if len(shown) > NAMES_SHOWN else ""
    )
