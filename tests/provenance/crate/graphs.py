"""A crate's metadata, and data files for a study made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.study.config.stages import published

METADATA = "ro-crate-metadata.json"
PUBLISHED = published()
Graph = dict[str, dict[str, Any]]


def real_bytes(study: Path) -> None:
    """Give every data file of a hand-made study bytes, and the manifests their hashes; links stay as they are."""
    from hashlib import sha256

    hashes = {}
    for path in sorted(study.glob(f"*/*{MANIFEST}"), key=lambda one: json.loads(record_of(one).read_bytes())["start"]):
        manifest = json.loads(path.read_bytes())
        for suffix, entry in manifest["files"].items():
            data = f"{path.name}{suffix}".encode()
            file = path.parent / f"{path.name.removesuffix(MANIFEST)}{suffix}"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
            entry |= {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
        old = sha256(path.read_bytes()).hexdigest()
        path.write_bytes(pretty(manifest))
        hashes[old] = sha256(path.read_bytes()).hexdigest()
    for record in study.glob(f"*/*{RUN}"):
        text = record.read_text()
        for old, new in hashes.items():
            text = text.replace(old, new)
        record.write_text(text)


def record_of(manifest: Path) -> Path:
    return manifest.with_name(manifest.name.removesuffix(MANIFEST) + RUN)


def graph_of(crate: Path) -> Graph:
    return {one["@id"]: one for one in json.loads((crate / METADATA).read_bytes())["@graph"]}


def edit(crate: Path, change: Callable[[Graph], None]) -> None:
    """Apply ``change`` to the entities by id; what it removes goes."""
    metadata = json.loads((crate / METADATA).read_bytes())
    graph = {one["@id"]: one for one in metadata["@graph"]}
    change(graph)
    (crate / METADATA).write_bytes(pretty({**metadata, "@graph": list(graph.values())}))
