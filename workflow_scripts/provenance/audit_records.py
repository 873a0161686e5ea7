"""Checks of manifests and run records against themselves and against each other; no data file is read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.core.jsonio import digest, pretty
from workflow_scripts.provenance.audit_kinds import Finding, Kind, finding
from workflow_scripts.provenance.nodes import Node, inputs_of


def record_findings(node: Node, written_for: Mapping[str, str], to_the_byte: bool) -> Iterator[Finding]:
    """Whether an artifact's manifest and run record are what was written.

    Args:
        written_for: digest of a manifest -> label of the artifact that it was written for.
        to_the_byte: also find edits that leave the JSON's meaning as it is.
    """
    if node.manifest_fault:
        yield finding(Kind.BROKEN_MANIFEST, node.path, node.manifest_fault, node.path)
    if node.record is None:
        kind = Kind.BROKEN_RECORD if node.record_path.exists() else Kind.MISSING_RECORD
        yield finding(kind, node.record_path, str(node.record_fault), node.path)
        return
    edited = _edit(node.record)
    if edited is None and to_the_byte and not _same_bytes(node.record_path, node.record):
        edited = "its form is not the one that we write"
    if edited is not None:
        yield finding(Kind.EDITED_RECORD, node.record_path, edited, node.path)
        return
    yield from _pair_findings(node, node.record, written_for, to_the_byte)


def _edit(record: Mapping[str, Any]) -> str | None:
    """What shows that a run record, or the original's in it, was edited; None when nothing does."""
    original = record.get("original")
    for name, one in (("it", record), ("the original's record in it", original if original is not None else record)):
        own = {key: value for key, value in one.items() if key != "self"} if isinstance(one, dict) else {}
        if not own or one.get("self") != _digest(own):
            return f"{name} does not have the digest that it states of itself"
    return None


def _digest(content: Mapping[str, Any]) -> str | None:
    """Digest of a JSON object; None when it holds numbers that JSON has not, which we never write."""
    try:
        return digest(content)
    except ValueError:
        return None


def _same_bytes(path: Path, content: Mapping[str, Any]) -> bool:
    return path.read_bytes() == pretty(content)


def _pair_findings(
    node: Node, record: Mapping[str, Any], written_for: Mapping[str, str], to_the_byte: bool
) -> Iterator[Finding]:
    of = record.get("artifact", node.label)
    if of != node.label:
        yield finding(Kind.MISPLACED, node.record_path, f"it is the run record of {of}", node.path)
        return
    if node.manifest_fault:
        return
    now, then = _digest(node.manifest), (node.computation or {}).get("manifest")
    owner = written_for.get(str(now))
    if now is None or now != then:
        if owner is not None and owner != node.label:
            yield finding(Kind.MISPLACED, node.path, f"it is the manifest of {owner}", node.path)
        else:
            detail = f"digest {str(now)[:12]}, the run record was written for {str(then)[:12]}"
            yield finding(Kind.EDITED_MANIFEST, node.path, detail, node.path)
    elif to_the_byte and not _same_bytes(node.path, node.manifest):
        yield finding(Kind.EDITED_MANIFEST, node.path, "its form is not the one that we write", node.path)


def input_findings(node: Node, known: Mapping[Path, Node], at_fault: set[Path]) -> Iterator[Finding]:
    """Whether the inputs of today are those that were read; an input whose manifest is at fault itself is named once,
    where it stands.

    Args:
        at_fault: paths of manifests that are broken, edited, misplaced or gone.
    """
    for one in inputs_of(node, known):
        if one.path is None or one.path in at_fault:
            continue
        if one.node is None:
            detail = f"{node.label} was made from it as {one.name}"
            yield finding(Kind.MISSING_INPUT, one.path, detail)
        elif one.node.hash != one.recorded_hash:
            detail = f"{one.name} {one.node.label} has hash {one.node.hash[:12]}, {one.recorded_hash[:12]} was read"
            yield finding(Kind.CHANGED_INPUT, node.path, detail)
