"""Checks of manifests and run records against themselves and against each other; no data file is read."""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.scan import AHEAD
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.notes import is_intact
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.record import odd_fields
from workflow_scripts.provenance.nodes import Node, inputs_of
from workflow_scripts.study.config.stages import declaration


def record_findings(node: Node, written_for: Mapping[str, str], to_the_byte: bool) -> Iterator[Finding]:
    """Whether an artifact's manifest and run record are what was written.

    Args:
        written_for: digest of a manifest -> label of the artifact that it was written for.
        to_the_byte: also find edits that leave the JSON's meaning as it is.
    """
    for path, loaded in ((node.path, node.manifest_file), (node.record_path, node.record_file)):
        if loaded.fault:
            kind = Kind.UNREADABLE if loaded.unreadable else Kind.MISSING if loaded.missing else Kind.EDITED_RECORD
            yield finding(kind, path, loaded.fault, node.path)
    record = node.record
    if record is None:
        return
    odd = _edit(record)
    if odd is None and to_the_byte and node.record_file.data != pretty(record):
        odd = "it is not formatted as the workflow writes it"
    odd = odd or odd_fields(record) or _other_recipe(record)
    if odd is not None:
        yield finding(Kind.EDITED_RECORD, node.record_path, odd, node.path)
        return
    yield from _pair_findings(node, record, written_for, to_the_byte)


def _edit(record: Mapping[str, Any]) -> str | None:
    """How a run record, or the original record inside it, was evidently edited; None if neither was."""
    parts = {"it": record, "the original record inside it": record.get("original") or record}
    return next((f"{name} does not match its digest" for name, part in parts.items() if not is_intact(part)), None)


def _other_recipe(record: Mapping[str, Any]) -> str | None:
    """Why the record does not give its key, or does not match the original record inside it; None if it does."""
    stage, settings = declaration(record["stage"]), record["settings"]
    in_key = settings if stage is None else stage.in_key(settings)
    if stage is not None and not stage.by_content and sorted(record["not_in_key"]) == sorted(settings.keys() - in_key):
        unit = stage.manifest_unit(record["unit"])
        parts = (record["code"], in_key, stage.in_key(record["inputs"]), record["environment"])
        if record["key"] != artifact_key(stage.name, unit, *parts):
            return "its key does not follow from its unit, code, settings, inputs and environment"
    original = record.get("original")
    if record.get("cached", False) != (original is not None):
        return "its field cached is wrong: only the record of a reuse contains an original record"
    made = original or record
    differ = [name for name in ("stage", "key", "code") if record[name] != made[name]]
    then = made["settings"] if stage is None else stage.in_key(made["settings"])
    differ += ["settings"] if in_key != then else []
    return f"the original record inside it has a different {', '.join(differ)}" if differ else None


def _pair_findings(
    node: Node, record: Mapping[str, Any], written_for: Mapping[str, str], to_the_byte: bool
) -> Iterator[Finding]:
    if record["artifact"] != node.label or record["stage"] != node.stage:
        yield finding(Kind.EDITED_RECORD, node.record_path, f"it is the run record of {record['artifact']}", node.path)
        return
    yield from _time_findings(node, record)
    if node.manifest_file.fault:
        return
    path, now, then = node.path, digest(node.manifest), (node.computation or {}).get("manifest")
    owner = written_for.get(now)
    if now != then and owner is not None and owner != node.label:
        odd = f"it is the manifest of {owner}"
    elif now != then:
        odd = f"digest {now[:12]}, the run record was written for {str(then)[:12]}"
    elif node.manifest["stage"] != node.stage:
        odd = "its stage differs from that in the run record"
    elif node.manifest["unit"] not in ({}, record["unit"]):
        path, odd = node.record_path, "its unit differs from that in its manifest"
    elif to_the_byte and node.manifest_file.data != pretty(node.manifest):
        odd = "it is not formatted as the workflow writes it"
    else:
        return
    yield finding(Kind.EDITED_RECORD, path, odd, node.path)


def _time_findings(node: Node, record: Mapping[str, Any]) -> Iterator[Finding]:
    latest = time.time() + AHEAD
    for one in (record, record.get("original") or record):
        start, end = (seconds(one[name]) for name in ("start", "end"))
        if end < start:
            detail = f"ended at {one['end']}, before its start at {one['start']}"
        elif end > latest:
            detail = f"ended at {one['end']}, which is in the future"
        elif (accepted := one.get("accepted")) and seconds(accepted["when"]) > latest:
            detail = f"code was accepted at {accepted['when']}, which is in the future"
        else:
            continue
        yield finding(Kind.IMPOSSIBLE_TIME, node.record_path, detail, node.path)
        return


def seconds(text: str) -> float:
    """A recorded time in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def input_findings(
    nodes: Iterable[Node], known: Mapping[Path, Node], told: Container[Path], cached: Callable[[Node, str], bool]
) -> Iterator[Finding]:
    """Whether the inputs of today are those that were read: otherwise stale, or at fault if they are nowhere.

    Args:
        told: manifests whose own fault has already been reported.
        cached: whether the cache holds another state of an artifact, by the hash of its manifest.
    """
    missing: dict[Path, list[str]] = {}
    for node in nodes:
        for edge in inputs_of(node, known):
            if edge.path is None or edge.path in told:
                continue
            if edge.node is None:
                missing.setdefault(edge.path, []).append(node.label)
            elif edge.node.hash != edge.recorded_hash:
                detail = f"{edge.name} {edge.label} has hash {edge.node.hash[:12]}, {edge.recorded_hash[:12]} was read"
                if cached(edge.node, edge.recorded_hash):
                    yield finding(Kind.STALE, node.path, detail)
                else:
                    yield finding(Kind.MISSING, node.path, f"{detail}, which is not in the cache either")
    for path, labels in missing.items():
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        yield finding(Kind.MISSING, path, f"{labels[0]}{more} were made from it")


def cycle_findings(nodes: Iterable[Node], known: Mapping[Path, Node]) -> Iterator[Finding]:
    """Artifacts that were made from each other, by what their run records say; one finding for each circle."""
    below = {node.path: [edge.path for edge in inputs_of(node, known) if edge.path in known] for node in nodes}
    while True:
        try:
            TopologicalSorter(below).prepare()
        except CycleError as error:
            circle: list[Path] = error.args[1]
            first = min(circle)
            said = " from ".join(known[path].label for path in reversed(circle))
            yield finding(Kind.EDITED_RECORD, known[first].record_path, said[:400], first)
            below = {path: inputs for path, inputs in below.items() if path not in circle}
        else:
            return
