"""The finished artifacts below a results folder as a graph: one node per manifest, edges by the run records' inputs.

Reading never fails: a manifest or record that can't be read gives a node that says so, since the
tools that use these nodes must report the fault.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from workflow_scripts.core.artifact import MANIFEST, RUN, label_of, stage_and_name
from workflow_scripts.core.files.bounded_json import Unfit, parse_object, read_bytes
from workflow_scripts.core.files.names import CRATE
from workflow_scripts.provenance import shapes


@dataclass(frozen=True)
class Node:
    """One artifact.

    Attributes:
        path: its manifest's path, as found.
        name: the manifest's file name without ``.manifest.json``.
        stage: the folder that it lies in, which is its stage's name.
        manifest: the manifest's content; empty when it can't be read.
        hash: sha256 of the manifest's bytes, in hex.
        record: the run record's content; None when there is none or it can't be read.
        manifest_fault: why the manifest can't be read, or None.
        record_fault: why there is no readable run record, or None.
        unreadable: of manifest and run record, those that exist but that a permission or disk error makes unreadable.
    """

    path: Path
    name: str
    stage: str
    manifest: dict[str, Any]
    hash: str
    record: dict[str, Any] | None
    manifest_fault: str | None = None
    record_fault: str | None = None
    unreadable: frozenset[Path] = frozenset()

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
        if self.record is None:
            return None
        original = self.record.get("original")
        return original if isinstance(original, dict) else self.record

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


def read_node(manifest: Path) -> Node:
    """The artifact behind one manifest; missing or damaged files become faults of the node."""
    stage, name = stage_and_name(manifest)
    record_path = manifest.with_name(name + RUN)
    found, record = _read(manifest), _read(record_path)
    manifest_fault = found.fault or shapes.manifest_fault(found.content)
    record_fault = record.fault or shapes.record_fault(record.content)
    return Node(
        path=manifest,
        name=name,
        stage=stage,
        manifest={} if manifest_fault else found.content,
        hash=hashlib.sha256(found.data).hexdigest(),
        record=None if record_fault else record.content,
        manifest_fault=manifest_fault,
        record_fault=record_fault,
        unreadable=frozenset(path for path, file in ((manifest, found), (record_path, record)) if file.unreadable),
    )


class _JsonFile(NamedTuple):
    """What was read of a JSON file.

    Attributes:
        data: its bytes; empty if they couldn't be read.
        content: its object; empty if there is a fault.
        fault: what is wrong with it, or None.
        unreadable: whether it exists but a permission or disk error makes it unreadable.
    """

    data: bytes
    content: dict[str, Any]
    fault: str | None = None
    unreadable: bool = False


def _read(path: Path) -> _JsonFile:
    data = b""
    try:
        data = read_bytes(path)
        return _JsonFile(data, parse_object(data))
    except Unfit as error:
        return _JsonFile(data, {}, str(error))
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        return _JsonFile(data, {}, f"there is none ({error.strerror})" if missing else str(error.strerror), not missing)


def walk(root: Path) -> Iterator[Path]:
    """Every file below ``root`` in sorted order; crates (copies for others), and what starts with a dot, are skipped.

    Links to folders are followed, since people move stages to other disks; each folder is visited once, so loops end.
    """
    if root.is_file():
        yield root
        return
    seen = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, followlinks=True):
        wanted = sorted(name for name in folders if not name.startswith(".") and name != CRATE)
        folders[:] = []
        for name in wanted:
            place = os.path.realpath(os.path.join(folder, name))
            if place not in seen:
                seen.add(place)
                folders.append(name)
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def load(root: Path) -> list[Node]:
    """All artifacts below a results, study or stage folder, or of one manifest, sorted by path."""
    return [read_node(path) for path in walk(root) if path.name.endswith(MANIFEST)]


def input_path(node: Node, recorded: str) -> Path:
    """Current path of an input's manifest, from its recorded path: same stage and name, in the study of ``node``."""
    return node.study / Path(recorded).parent.name / Path(recorded).name


def inputs_of(node: Node, known: Mapping[Path, Node] | None = None) -> list[Input]:
    """The inputs that a node's run record names, in order; empty without a readable record.

    Args:
        known: nodes by path that were read already; others are read from disk.
    """
    record = node.record or {}
    hashes, files = record.get("inputs"), record.get("input_files")
    if not isinstance(hashes, dict):
        return []
    found = []
    for name, recorded in hashes.items():
        paths = files.get(name, []) if isinstance(files, dict) else []
        for number, value in enumerate(recorded):
            path = input_path(node, paths[number]) if number < len(paths) else None
            found.append(Input(str(name), str(value), path, _node_at(path, known)))
    return found


def _node_at(path: Path | None, known: Mapping[Path, Node] | None) -> Node | None:
    if path is None:
        return None
    if known is not None and path in known:
        return known[path]
    return read_node(path) if path.is_file() else None
