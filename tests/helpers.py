"""Artifacts made by hand, and stages run as the workflow runs them, for tests."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.inputs import clear_inputs
from workflow_scripts.core.key import SCHEMA
from workflow_scripts.core.runtime.stage import Stage, run_stage
from workflow_scripts.core.shards import TarImages

HASH = 16  # bytes of a sha256 that TarImages takes
Fails = Callable[..., AbstractContextManager[None]]
"""The fixture ``fails``."""


def make_artifact(
    results: Path,
    stage: str,
    name: str,
    files: Mapping[str, bytes | Path],
    unit: Mapping[str, str] | None = None,
    rows: Mapping[str, Any] | None = None,
) -> Path:
    """Write an artifact below ``results/study/<stage>/`` as a stage would; gives its manifest's path."""
    clear_inputs()  # another process would write it, before this one reads
    folder = results / "study" / stage
    recorded = {}
    for suffix, content in files.items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
        data = path.read_bytes()
        recorded[suffix] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest = {"schema": SCHEMA, "stage": stage, "unit": dict(unit or {}), "files": recorded, "rows": dict(rows or {})}
    path = folder / f"{name}{MANIFEST}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pretty(manifest))
    path.with_name(f"{name}{RUN}").write_bytes(pretty({"stage": stage, "key": "made-by-hand"}))
    return path


def hashes(blobs: Sequence[bytes | bytearray]) -> np.ndarray:
    """What :class:`TarImages` takes as the hashes of images: (n, 16) uint8."""
    halves = b"".join(hashlib.sha256(blob).digest()[:HASH] for blob in blobs)
    return np.frombuffer(halves, np.uint8).reshape(-1, HASH)


def tar_images(path: Path, files: Sequence[bytes]) -> TarImages:
    """Images of a shard: the files, one after the other, which are written to ``path``."""
    path.write_bytes(b"".join(files))
    sizes = np.array([len(file) for file in files], np.int64)
    return TarImages([path], np.zeros(len(files), int), np.cumsum(sizes) - sizes, sizes, hashes(files))


def hex_hashes(blobs: Sequence[bytes]) -> list[str]:
    """sha256 of each, in hex, as tables hold it."""
    return [hashlib.sha256(blob).hexdigest() for blob in blobs]


def run(
    stage: Stage,
    results: Path,
    artifact: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Path | Sequence[Path]] | None = None,
    unit: Mapping[str, str] | None = None,
    sources: Mapping[str, Path] | None = None,
    options: Sequence[str] = (),
) -> Artifact:
    """Run a stage for ``results/study/<artifact>`` (``<stage>/<name>``) and give what it made."""
    target = results / "study" / artifact
    argv = ["--artifact", str(target), "--settings", json.dumps(settings), "--device", "cpu", *options]
    argv += ["--unit", *(f"{key}={value}" for key, value in (unit or {}).items())]
    for name, given in (inputs or {}).items():
        paths = [given] if isinstance(given, Path) else list(given)
        first, *rest = [str(path) for path in paths] or [""]
        argv += ["--input", f"{name}={first}", *rest]
    for name, path in (sources or {}).items():
        argv += ["--source", f"{name}={path}"]
    run_stage(stage, argv)
    return Artifact(target.with_name(target.name + MANIFEST))
