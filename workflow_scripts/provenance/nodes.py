"""The finished artifacts below a results folder as a graph: one node per manifest, edges by the run records' inputs.

Reading never fails: a manifest or record that can't be read gives a node that says so, since the
tools that use these nodes must report the fault.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN, label_of, stage_and_name
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.names import CACHE, CRATE
from workflow_scripts.core.key import AROUND, root_hash
from workflow_scripts.core.record import Loaded, load_manifest, load_record
from workflow_scripts.core.runtime.job_log import artifact_of_log

DEEPEST = 8  # folders between a data file and its manifest
ADVICE = "give a file of results/<study>/<stage>/, its manifest, its log, or a file of results/.cache"
REPORT = "report/index"


@dataclass(frozen=True)
class Node:
    """One artifact.

    Attributes:
        path: its manifest's path, as found.
        name: the manifest's file name without ``.manifest.json``.
        stage: the folder that it lies in, which is its stage's name.
        manifest_file: what was read of the manifest, or why it can't be read.
        record_file: the same of the run record.
    """

    path: Path
    name: str
    stage: str
    manifest_file: Loaded
    record_file: Loaded

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest's content; empty when it can't be read."""
        return {} if self.manifest_file.fault else self.manifest_file.content

    @property
    def record(self) -> dict[str, Any] | None:
        """The run record's content; None when there is none or it can't be read."""
        return None if self.record_file.fault else self.record_file.content

    @cached_property
    def hash(self) -> str:
        """sha256 of the manifest's bytes, in hex."""
        return hashlib.sha256(self.manifest_file.data).hexdigest()

    @property
    def study(self) -> Path:
        """The study's folder, ``results/<study>``."""
        return self.path.parent.parent

    @property
    def label(self) -> str:
        """``<stage>/<name>``: unique within a study."""
        return f"{self.stage}/{self.name}"

    @property
    def record_path(self) -> Path:
        """Where its run record is, or ought to be."""
        return self.path.with_name(self.name + RUN)

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Suffix -> ``sha256`` and ``bytes`` of each data file that the manifest names."""
        return dict(self.manifest.get("files", {}))

    @property
    def computation(self) -> dict[str, Any] | None:
        """The record of the computation itself: of an artifact from the cache, the original's."""
        return self.record and (self.record.get("original") or self.record)

    @property
    def at(self) -> str | None:
        """Where a source was read from, as its run record says; None of other artifacts."""
        at = (self.record or {}).get("settings", {}).get("at") if self.stage == "source" else None
        return at if isinstance(at, str) else None

    def file(self, suffix: str) -> Path:
        """Path of the data file with ``suffix``."""
        return self.path.parent / f"{self.name}{suffix}"


@dataclass(frozen=True)
class Input:
    """One input of an artifact, as its run record names it.

    Attributes:
        name: name within the stage; several inputs can share one.
        recorded_hash: manifest hash at that time; of a source without a manifest, the hash of its content.
        path: current path of the manifest; None for a source that was read in place.
        node: the current artifact at ``path``; None if there is none.
    """

    name: str
    recorded_hash: str
    path: Path | None
    node: Node | None

    @property
    def label(self) -> str:
        """``<stage>/<name>`` of its manifest; without one, the input's name."""
        return label_of(self.path) if self.path else self.name

    @property
    def read(self) -> Node | None:
        """The artifact, if it is still the one that was read."""
        return self.node if self.node is not None and self.node.hash == self.recorded_hash else None


def read_node(manifest: Path) -> Node:
    """The artifact behind one manifest; missing or damaged files become faults of the node."""
    stage, name = stage_and_name(manifest)
    record = readable(load_record, manifest.with_name(name + RUN))
    return Node(manifest, name, stage, readable(load_manifest, manifest), record)


def readable(load: Callable[[Path], Loaded], path: Path) -> Loaded:
    """What was read of a file; a permission or disk error is a fault."""
    try:
        return load(path)
    except OSError as error:
        return Loaded(b"", {}, str(error.strerror), unreadable=True)


def load(root: Path) -> list[Node]:
    """All artifacts below a results, study or stage folder, or of one manifest, sorted by path.

    Crates (copies for others), and what starts with a dot, are skipped. Links to folders are followed, since people
    move stages to other disks; each folder is visited once, so loops end.
    """
    found = [root] if root.is_file() else []
    seen = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, followlinks=True):
        wanted = sorted((name for name in folders if name != CRATE), reverse=True)
        places = {os.path.realpath(os.path.join(folder, name)): name for name in wanted if not name.startswith(".")}
        folders[:] = sorted(places[place] for place in places.keys() - seen)
        seen |= places.keys()
        found += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    return [read_node(path) for path in found if path.name.endswith(MANIFEST)]


def inputs_of(node: Node, known: Mapping[Path, Node] | None = None) -> list[Input]:
    """The inputs that a node's run record names, in order; empty without a readable record.

    Args:
        known: nodes by path that were read already; others are read from disk.
    """
    record, study, known = node.record or {}, node.study, known or {}
    found = []
    for name, hashes in record.get("inputs", {}).items():
        recorded = map(Path, record.get("input_files", {}).get(name, ()))
        paths: list[Path | None] = [study / path.parent.name / path.name for path in recorded]
        for sha256, path in zip(hashes, paths or [None] * len(hashes), strict=True):
            source = known.get(path) if path else None
            if source is None and path is not None and path.is_file():
                source = read_node(path)
            found.append(Input(name, sha256, path, source))
    return found


def ancestors(nodes: Iterable[Node], known: Mapping[Path, Node] | None = None) -> dict[Path, Node]:
    """These artifacts and all that they were made from and that is still there, by path.

    Args:
        known: as of :func:`inputs_of`.
    """
    found: dict[Path, Node] = {}
    seen, waiting = dict(known or {}), list(nodes)
    while waiting:
        node = waiting.pop()
        if node.path not in found:
            found[node.path] = node
            above = [edge.node for edge in inputs_of(node, seen) if edge.node is not None]
            seen |= {source.path: source for source in above}
            waiting += above
    return found


def study_root(nodes: Iterable[Node]) -> tuple[str | None, set[str]]:
    """The root hash that the report shows, computed from the current manifests, and the labels behind it.

    Without a report it is over all artifacts. None when an artifact behind the report is missing.
    """
    by_label = {node.label: node for node in nodes}
    report = by_label.get(REPORT)
    labels = {label for label in by_label if label.split("/")[0] not in AROUND}
    if report is not None and report.record is not None:
        files = report.record.get("input_files", {})
        labels = {label_of(Path(path)) for found in files.values() for path in found}
    if not labels <= by_label.keys():
        return None, labels
    return root_hash((label, by_label[label].hash) for label in labels), labels


@dataclass(frozen=True)
class Place:
    """A file's artifact, and its suffix there (``.parquet``, ``/last.safetensors``; empty for the artifact itself)."""

    node: Node
    suffix: str


def locate(path: Path) -> Place:
    """The artifact behind a data file, a manifest, a run record, a log, a folder of checkpoints, or a cached file.

    Raises:
        PipelineError: there is no such file, or no manifest names it.
    """
    path = path.absolute()
    for name in (path.name.removesuffix(MANIFEST), path.name.removesuffix(RUN)):
        beside = path.with_name(name + MANIFEST)
        if beside.is_file():
            return Place(read_node(beside), "")
    found = _cached(path) or _log(path) or _data_file(path)
    if found is None:
        what = "no artifact" if path.exists() else "no such file"
        raise PipelineError(what, path, "no manifest names it" if path.exists() else "it does not exist", ADVICE)
    return found


def _data_file(path: Path) -> Place | None:
    """The artifact that names it: of the manifests in the folders above, the longest name that begins the file's."""
    for folder in list(path.parents)[:DEEPEST]:
        inner = path.relative_to(folder).as_posix()
        for manifest in sorted(folder.glob(f"*{MANIFEST}"), key=lambda one: -len(one.name)):
            name = manifest.name.removesuffix(MANIFEST)
            suffix = inner.removeprefix(name)
            if not inner.startswith(name) or not suffix.startswith((".", "/")):
                continue
            node = read_node(manifest)
            if suffix in node.files or suffix in (node.record or {}).get("beside", []):
                return Place(node, suffix)
    return None


def _log(path: Path) -> Place | None:
    """The artifact whose job wrote ``<study>/logs/<stage>/<name>.log``."""
    artifact = artifact_of_log(path)
    manifest = None if artifact is None else Path(f"{artifact}{MANIFEST}")
    return Place(read_node(manifest), "") if manifest is not None and manifest.is_file() else None


def _cached(path: Path) -> Place | None:
    """The artifact of some study that stands for ``.cache/<stage>/<key>/...``."""
    if CACHE not in path.parts[:-2]:
        return None
    at = path.parts.index(CACHE)
    stage, key, *inner = path.parts[at + 1 :]
    for record in sorted(Path(*path.parts[:at]).glob(f"*/{stage}/*{RUN}")):
        manifest = record.with_name(record.name.removesuffix(RUN) + MANIFEST)
        if (read_object_or_none(record) or {}).get("key") == key and manifest.is_file():
            stored = "/".join(inner).partition("files/_")
            return Place(read_node(manifest), stored[2])
    return None
