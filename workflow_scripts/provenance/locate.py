"""Which artifact a file of a results folder belongs to."""

from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.core.files.names import CACHE, CRATE
from workflow_scripts.core.runtime.job_log import artifact_of_log
from workflow_scripts.provenance.nodes import Node, read_node

DEEPEST = 8  # folders between a data file and its manifest
ADVICE = "give a file of results/<study>/<stage>/, its manifest, its log, or a file of results/.cache"


@dataclass(frozen=True)
class Place:
    """A file's artifact, and its suffix there (``.parquet``, ``/last.safetensors``; empty for the artifact itself)."""

    node: Node
    suffix: str


def locate(path: Path) -> Place:
    """The artifact behind a data file, a manifest, a run record, a log, a folder of checkpoints, or a copy of one.

    Copies are those in the cache, and those in the study's crate.

    Raises:
        PipelineError: there is no such file, or no manifest names it.
    """
    path = path.absolute()
    manifest = path.name.endswith(MANIFEST) and path.is_file()
    if manifest:
        return Place(read_node(path), "")
    for name in (path.name.removesuffix(RUN), path.name):
        beside = path.with_name(name + MANIFEST)
        if beside.is_file():
            return Place(read_node(beside), "")
    found = _cached(path) or _log(path) or _in_crate(path) or _data_file(path)
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


def _in_crate(path: Path) -> Place | None:
    """The artifact behind ``<study>/crate/files/<stage>/...`` or ``<study>/crate/manifests/<stage>/<name>.json``."""
    for folder in path.parents:
        inner = path.relative_to(folder)
        if folder.name != CRATE or len(inner.parts) < 3:
            continue
        if inner.parts[0] == "files":
            return _data_file(folder.parent.joinpath(*inner.parts[1:]))
        manifest = folder.parent / inner.parts[1] / f"{inner.name.removesuffix('.json')}{MANIFEST}"
        if inner.parts[0] == "manifests" and manifest.is_file():
            return Place(read_node(manifest), "")
    return None


def _cached(path: Path) -> Place | None:
    """The artifact of some study that stands for ``.cache/<stage>/<key>/...``."""
    parts = path.parts
    if CACHE not in parts or len(parts) < parts.index(CACHE) + 3:
        return None
    at = parts.index(CACHE)
    root, stage, key = Path(*parts[:at]), parts[at + 1], parts[at + 2]
    inner = "/".join(parts[at + 3 :])
    for record in sorted(root.glob(f"*/{stage}/*{RUN}")):
        manifest = record.with_name(record.name.removesuffix(RUN) + MANIFEST)
        try:
            same = read_object(record).get("key") == key
        except (OSError, Unfit):
            continue
        if same and manifest.is_file():
            return Place(read_node(manifest), inner.removeprefix("files/_") if inner.startswith("files/_") else "")
    return None
