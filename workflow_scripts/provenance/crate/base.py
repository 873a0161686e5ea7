"""The parts of a crate that every study has: descriptor, profiles, the workflow's file and language, its engine."""

import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

Entity = dict[str, Any]
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
CRATE, WORKFLOW_CRATE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
METADATA, ROOT_ID, WORKFLOW, README = "ro-crate-metadata.json", "./", "Snakefile", "README.md"
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
ENGINE, ENGINE_RUN, RUN = "#snakemake", "#engine-run", "#run"
COMPLETED = "http://schema.org/CompletedActionStatus"
README_TEXT = b"""# A study as a Workflow Run RO-Crate
`ro-crate-metadata.json` tells every job of the study: what it read and made, by sha256, with which settings, code and
versions, when, and at what cost. `manifests/` holds the manifest of every artifact, `files/` the small results, and
`Snakefile` and `rules/` the workflow. What is not here is named by its sha256.

`faithful-pairs crate --check FOLDER` checks all of it against itself.
"""
FORMATS = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".html": "text/html",
    ".parquet": "application/vnd.apache.parquet",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".smk": "text/x-snakemake",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
}


def ref(identifier: str) -> dict[str, str]:
    """A reference to an entity."""
    return {"@id": identifier}


def refs(identifiers: Iterable[str]) -> list[dict[str, str]]:
    """References in order, each once."""
    return [ref(one) for one in dict.fromkeys(identifiers)]


def local(*parts: str) -> str:
    """Identifier of something that is described but not in the crate: ``#download/00000.tar``."""
    return "#" + quote("/".join(parts), safe="/=,")


def inside(path: str) -> str:
    """Identifier of a file in the crate: its path, as a URI."""
    return quote(path, safe="/")


def encoding(name: str) -> str:
    """Media type by suffix."""
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), "application/octet-stream")


def descriptor() -> Entity:
    """The entity of the metadata file itself."""
    conforms = refs([CRATE, WORKFLOW_CRATE])
    return {"@id": METADATA, "@type": "CreativeWork", "about": ref(ROOT_ID), "conformsTo": conforms}


def profiles() -> list[Entity]:
    """The profiles that the crate follows."""
    return [
        {"@id": identifier, "@type": "CreativeWork", "name": name, "version": version}
        for identifier, (name, version) in PROFILES.items()
    ]


def language() -> list[Entity]:
    """Snakemake as a language, and as the engine that ran the workflow."""
    url = ref("https://snakemake.github.io")
    identifier = ref("https://doi.org/10.1093/bioinformatics/bts480")
    return [
        {"@id": LANGUAGE, "@type": "ComputerLanguage", "name": "Snakemake", "identifier": identifier, "url": url},
        {"@id": ENGINE, "@type": "SoftwareApplication", "name": "Snakemake", "url": url},
    ]


def readme() -> list[Entity]:
    """The crate's own README."""
    sha256 = hashlib.sha256(README_TEXT).hexdigest()
    entity: Entity = {"@id": README, "@type": "File", "name": "About this crate", "about": ref(ROOT_ID)}
    return [entity | {"encodingFormat": "text/markdown", "contentSize": str(len(README_TEXT)), "sha256": sha256}]


def licenses(text: str) -> list[Entity]:
    """The licence as an entity where it is named by its URL; none where it is a sentence."""
    return [{"@id": text, "@type": "CreativeWork", "name": "Licence"}] if text.startswith("https://") else []


def compact(entity: Entity) -> Entity:
    """Lists of one reference as that reference, as RO-Crate wants them; properties without a value left out."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in entity.items()
        if value not in (None, [])
    }
