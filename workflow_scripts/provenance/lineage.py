"""What everything below a results folder was made from: finished results, cache entries and unfinished work alike."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN, repair_advice
from workflow_scripts.core.cache import stored
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import CACHE, ENTRY_MANIFEST, ENTRY_RECORD
from workflow_scripts.core.record import load_manifest, load_recipe, load_record
from workflow_scripts.core.runtime.stage import RECIPE
from workflow_scripts.provenance.nodes import readable


@dataclass(frozen=True)
class Made:
    """An artifact of a study, or an entry of the cache.

    Attributes:
        path: the artifact's path without suffix, or the entry's folder.
        study: name of the study; None for a cache entry.
        hash: of its manifest.
        manifest: its content.
        record: its run record; empty if that is missing or not JSON.
    """

    path: Path
    study: str | None
    hash: str
    manifest: dict[str, Any]
    record: dict[str, Any]

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return str(self.manifest["stage"])

    @property
    def key(self) -> str:
        """Its key; empty if its record is missing."""
        return self.path.name if self.study is None else str(self.record.get("key", ""))

    def file(self, suffix: str) -> Path:
        """Path of the data file with ``suffix``."""
        return stored(self.path, suffix) if self.study is None else Path(f"{self.path}{suffix}")


def input_hashes(record: Mapping[str, Any]) -> set[str] | None:
    """Manifest hashes of the artifacts that a run record names as inputs; None when it does not say what they were."""
    if not {"inputs", "input_files"} <= record.keys():
        return None
    # An input without a manifest is a thing from outside.
    return {one for name, hashes in record["inputs"].items() if record["input_files"].get(name) for one in hashes}


def load(results: Path) -> list[Made]:
    """Every artifact of every study, and every cache entry, in order of their paths; those whose manifest is not JSON
    are left out.

    Raises:
        PipelineError: a manifest or run record can't be read, or names a file that is not the artifact's.
    """
    artifacts = [str(path).removesuffix(MANIFEST) for path in sorted(results.glob(f"[!.]*/*/?*{MANIFEST}"))]
    found = [_made(Path(stem), Path(stem + MANIFEST), Path(stem + RUN), Path(stem).parts[-3]) for stem in artifacts]
    for path in sorted((results / CACHE).glob(f"[!.]*/*/{ENTRY_MANIFEST}")):
        found.append(_made(path.parent, path, path.with_name(ENTRY_RECORD), None))
    return [one for one in found if one is not None]


def _made(path: Path, manifest: Path, record: Path, study: str | None) -> Made | None:
    try:
        found, made = load_manifest(manifest), load_record(record)
    except OSError as error:  # what it describes would be left out, and so stay
        advice = "make it readable, then run the same command again"
        raise PipelineError("unreadable manifest or run record", manifest, error.strerror, advice) from error
    for loaded in (found, made):
        if loaded.content and loaded.fault:
            advice = f"delete {path}" if study is None else repair_advice(manifest)
            raise PipelineError("damaged manifest or run record", manifest, loaded.fault, advice)
    sha256 = hashlib.sha256(found.data).hexdigest()
    return Made(path, study, sha256, found.content, made.content) if found.content else None


def recipe_of(work: Path) -> dict[str, Any]:
    """What the key of a work folder was made from; empty when that is missing or unreadable."""
    recipe = readable(load_recipe, work / RECIPE)
    return {} if recipe.fault else recipe.content


def sound(everything: list[Made], is_clean: Callable[[Made], bool]) -> set[str]:
    """Manifest hashes of what is clean, and was made from clean things alone.

    Equal hashes are equal bytes, so one clean way to make something is enough. What was made from something that is
    neither here nor known counts as not clean.
    """
    made_from = [(artifact.hash, input_hashes(artifact.record)) for artifact in everything if is_clean(artifact)]
    good: set[str] = set()
    while more := {made for made, inputs in made_from if inputs is not None and inputs <= good} - good:
        good |= more
    return good
