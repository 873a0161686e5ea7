"""The chain behind artifacts as a tree: artifacts that a consumer reads under one name form one branch.

A study with a thousand shards has the same tree as one with two: ``image_index`` has one branch, ``download``, with a
thousand artifacts on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.sources import LISTING, read_listing
from workflow_scripts.provenance.nodes import Input, Node, inputs_of

WORLD, ANNOTATIONS = ("demo_world", ".annotations.zip"), "source/annotations"


@dataclass(frozen=True)
class Branch:
    """Artifacts of one stage, and what they were made from.

    Attributes:
        number: counts branches from 1, in the order of output.
        role: name under which the consumer reads them; empty for the root.
        nodes: the artifacts; empty for a source that was read in place, or if all are missing.
        faults: mismatches between these artifacts and the consumer's record.
        inputs: what they were made from; empty when ``again``.
        again: whether the branch with this number was shown before.
    """

    number: int
    role: str
    nodes: tuple[Node, ...]
    faults: tuple[str, ...]
    inputs: tuple["Branch", ...]
    again: bool = False


class Chain:
    """Builds the tree; reads every manifest once.

    Args:
        together: join artifacts of one role and stage in one branch; else each has its own.
    """

    def __init__(self, together: bool = True) -> None:
        self._together = together
        self._known: dict[Path, Node] = {}
        self._numbers: dict[tuple[Path, ...], int] = {}
        self._last = 0

    def root(self, node: Node) -> Branch:
        """The tree above one artifact."""
        return self._branch("", [node], ())

    def branches(self, inputs: Iterable[Input]) -> tuple[Branch, ...]:
        """The trees above several artifacts, as if one consumer had read them."""
        return tuple(self._branch(*one) for one in self._grouped(list(inputs)))

    def nodes(self) -> list[Node]:
        """Every artifact in the tree, sorted by label."""
        return sorted(self._known.values(), key=lambda node: node.label)

    def _branch(self, role: str, nodes: Sequence[Node], faults: Sequence[str]) -> Branch:
        key = tuple(sorted(node.path for node in nodes))
        if nodes and key in self._numbers:
            return Branch(self._numbers[key], role, tuple(nodes), tuple(faults), (), again=True)
        self._last += 1
        number = self._numbers[key] = self._last
        self._known |= {node.path: node for node in nodes}
        found = [one for node in nodes for one in inputs_of(node, self._known)]
        return Branch(number, role, tuple(nodes), tuple(faults), self.branches(found))

    def _grouped(self, inputs: list[Input]) -> list[tuple[str, list[Node], list[str]]]:
        groups: dict[tuple[object, ...], tuple[str, dict[Path, Node], dict[str, None]]] = {}
        for one in inputs:
            stage = one.node.stage if one.node else None
            apart = () if self._together else (one.path, one.recorded_hash)
            _, nodes, faults = groups.setdefault((one.name, stage, *apart), (one.name, {}, {}))
            if one.node is not None:
                nodes[one.node.path] = self._known.setdefault(one.node.path, one.node)
            fault = _fault(one)
            faults |= {fault: None} if fault else {}
        return [(role, list(nodes.values()), list(faults)) for role, nodes, faults in groups.values()]


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
            read = [one for one in inputs_of(node) if one.name == "annotations" and one.path is None]
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
