"""A finished artifact as its consumers see it: a manifest and the files that it names.

``<dir>/<name>.manifest.json`` says what the artifact *is* (design: same content, same bytes: no time, host or path
in it); its data files are ``<dir>/<name><suffix>``. ``<name>.run.json`` says how it came to be; nothing reads it to
compute.
"""

import hashlib
from pathlib import Path
from typing import Any

from workflow_scripts.core.cache import place, results_root
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import read_json

MANIFEST, RUN = ".manifest.json", ".run.json"


def manifest_hash(path: Path) -> str:
    """sha256 of a manifest's bytes, in hex: it stands for all of an artifact's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Artifact:
    """An artifact on disk.

    Attributes:
        manifest_path: the manifest's path.
        name: the manifest's file name without ``.manifest.json``.
        manifest: its content: ``schema``, ``stage``, ``unit``, ``files`` (suffix -> sha256, bytes), ``rows``.
        hash: sha256 of the manifest's bytes, in hex; it stands for all of the artifact's bytes.
    """

    def __init__(self, manifest_path: Path) -> None:
        advice = f"make it with: snakemake {manifest_path}"
        self.manifest_path = manifest_path
        self.name = manifest_path.name.removesuffix(MANIFEST)
        self.manifest: dict[str, Any] = read_json(manifest_path, advice)
        self.hash = manifest_hash(manifest_path)
        if not isinstance(self.manifest, dict) or not {"stage", "unit", "files"} <= self.manifest.keys():
            raise PipelineError("not an artifact manifest", manifest_path, sorted(self.manifest), advice)

    @property
    def unit(self) -> dict[str, str]:
        """The wildcard values that the artifact was made for."""
        return dict(self.manifest["unit"])

    @property
    def rows(self) -> dict[str, Any]:
        """``in``, ``out`` and ``dropped`` (reason -> count), or an empty dict for a stage without rows."""
        return dict(self.manifest["rows"])

    @property
    def suffixes(self) -> list[str]:
        """Suffixes of the data files, sorted."""
        return sorted(self.manifest["files"])

    def has(self, suffix: str) -> bool:
        """Whether the manifest names a file with this suffix."""
        return suffix in self.manifest["files"]

    def path(self, suffix: str) -> Path:
        """The data file with ``suffix``, there and of the recorded size.

        A file that is gone is linked again from the cache.

        Raises:
            PipelineError: the manifest names no such file, it is gone and not in the cache, or its size differs.
        """
        if not self.has(suffix):
            raise PipelineError("no such file", self.manifest_path, suffix, f"it names {self.suffixes}")
        path = self.manifest_path.parent / f"{self.name}{suffix}"
        if not path.exists():
            self._link_again(path)
        size, recorded = path.stat().st_size, self.manifest["files"][suffix]["bytes"]
        if size != recorded:
            advice = f"delete it and run again; it is truncated or was edited ({recorded} bytes are recorded)"
            raise PipelineError("wrong size", path, f"{size} bytes", advice)
        return path

    def _link_again(self, path: Path) -> None:
        record = self.manifest_path.with_name(self.name + RUN)
        advice = f"make it anew with: snakemake --force {self.manifest_path}"
        key = read_json(record, advice).get("key") if record.exists() else None
        entry = results_root(self.manifest_path) / ".cache" / str(self.manifest["stage"]) / str(key)
        if key is None or not place(entry, self.manifest_path.with_name(self.name), self.manifest):
            raise PipelineError("missing data file", path, "gone, and not in the cache", advice)
