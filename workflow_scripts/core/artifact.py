"""A finished artifact as its consumers see it: a manifest and the files that it names.

``<dir>/<name>.manifest.json`` says what the artifact *is*; the same content gives the same bytes, so it holds no time,
host or path. Its data files are ``<dir>/<name><suffix>``. ``<name>.run.json`` records how it was made; no computation
reads it.
"""

import hashlib
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.core.cache import file_hash, place, results_root, stored
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_bytes
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.files.names import BASE, NOTES, cache_entry
from workflow_scripts.core.files.notes import read_note
from workflow_scripts.core.files.plain import OWN, check_inside
from workflow_scripts.core.inputs import verify
from workflow_scripts.core.record import load_manifest, load_recipe

MANIFEST, RUN = OWN


def stage_and_name(manifest: Path) -> tuple[str, str]:
    """Stage and name of the artifact with this manifest."""
    return manifest.parent.name, manifest.name.removesuffix(MANIFEST)


def label_of(manifest: Path) -> str:
    """``<stage>/<name>`` of the artifact with this manifest, which is unique within a study."""
    return "/".join(stage_and_name(manifest))


def manifest_hash(path: Path) -> str:
    """sha256 of a manifest's bytes, in hex; since the manifest holds all file hashes, it identifies the whole artifact.

    Raises:
        Unfit: the manifest is not a regular file, or is larger than any manifest.
        OSError: it can't be read.
    """
    return hashlib.sha256(read_bytes(path)).hexdigest()


def repair_advice(manifest_path: Path) -> str:
    """How to repair an artifact with damaged files; a job checks its cache entry, which is often the same file."""
    return f"restore the file, or recompute it with: {command_for(manifest_path)}"


def command_for(manifest: Path, force: bool = True) -> str:
    """The command that makes an artifact, with the config files and values of the last run of its study."""
    here = Path.cwd()  # Snakemake identifies files by their path relative to it
    words = ["--force", str(manifest)] if force else [str(manifest)]
    if manifest.is_relative_to(here):
        words[-1] = str(manifest.relative_to(here))
    note: dict[str, Any] = {}
    with suppress(PipelineError):
        note = read_note(results_root(manifest) / NOTES / f"{manifest.parent.parent.name}.json", "")
    files, values = note.get("configfiles"), note.get("config")  # of any type: the file is not trusted
    if isinstance(files, list) and (overlays := [str(file) for file in files if file != BASE]):
        words += ["--configfile", *overlays]
    if isinstance(values, dict) and values:
        words += ["--config", *(f"{name}={canonical(value)}" for name, value in values.items())]
    return f"snakemake {shlex.join(words)}"


class Artifact:
    """An artifact on disk.

    Attributes:
        manifest_path: the manifest's path.
        name: the manifest's file name without ``.manifest.json``.
        manifest: its content: ``schema``, ``stage``, ``unit``, ``files`` (suffix -> sha256, bytes), ``rows``.
        hash: sha256 of the manifest's bytes, in hex; it identifies all of the artifact's bytes.
    """

    def __init__(self, manifest_path: Path) -> None:
        self.manifest_path = manifest_path
        self.name = manifest_path.name.removesuffix(MANIFEST)
        loaded = load_manifest(manifest_path)
        if loaded.missing:
            advice = f"compute it with: {command_for(manifest_path, force=False)}"
            raise PipelineError("missing file", manifest_path, "no such file", advice)
        if loaded.fault is not None:
            raise PipelineError("damaged manifest", manifest_path, loaded.fault, repair_advice(manifest_path))
        self.manifest = loaded.content
        self.hash = hashlib.sha256(loaded.data).hexdigest()

    @property
    def unit(self) -> dict[str, str]:
        """The wildcard values of the artifact."""
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
        """The data file with ``suffix``, verified: its bytes have the recorded sha256.

        Each file is hashed once per process, and :func:`workflow_scripts.core.inputs.check_unchanged` finds a later
        change. A missing file is linked from the cache.

        Raises:
            PipelineError: the manifest names no such file, it is missing and not in the cache, or its bytes differ.
        """
        path = self.location(suffix)
        verify(path, self.manifest["files"][suffix]["sha256"], repair_advice(self.manifest_path))
        return path

    def location(self, suffix: str) -> Path:
        """Like :meth:`path`, but only the size is checked: for readers that verify each part that they read.

        Raises:
            PipelineError: the manifest names no such file, it is missing and not in the cache, or its size differs.
        """
        if not self.has(suffix):
            raise PipelineError("unknown data file", self.manifest_path, suffix, f"the manifest names {self.suffixes}")
        path = self.manifest_path.parent / f"{self.name}{suffix}"
        if not path.exists():
            self._link_again(path, suffix)
        size, recorded = path.stat().st_size, self.manifest["files"][suffix]["bytes"]
        if size != recorded:
            value = f"{size} bytes instead of the recorded {recorded}"
            raise PipelineError("wrong size", path, value, repair_advice(self.manifest_path))
        return path

    def _link_again(self, path: Path, suffix: str) -> None:
        loaded = load_recipe(self.manifest_path.with_name(self.name + RUN))
        recorded = self.manifest["files"][suffix]
        if loaded.fault is None and "key" in loaded.content:  # the texts of a damaged record must not become paths
            entry = cache_entry(results_root(self.manifest_path), self.manifest["stage"], loaded.content["key"])
            with suppress(FileNotFoundError, Unfit):
                check_inside(entry)
                if file_hash(stored(entry, suffix)) == recorded["sha256"] and place(
                    entry, self.manifest_path.with_name(self.name), {"files": {suffix: recorded}}
                ):
                    return
        advice = f"recompute it with: {command_for(self.manifest_path)}"
        raise PipelineError("missing data file", path, "not in the results, nor intact in the cache", advice)
