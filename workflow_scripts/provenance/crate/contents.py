"""What a crate may contain: which files, which of them are its own, and settings without people or places."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors.text import redacted
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.provenance.run_metadata import flat

METADATA, ROOT_ID, WORKFLOW, README = "ro-crate-metadata.json", "./", "Snakefile", "README.md"
README_TEXT = b"""# A study as a Workflow Run RO-Crate
`ro-crate-metadata.json` tells every job of the study: what it read and made, by sha256, with which settings, code and
versions, when, and at what cost. `manifests/` holds the manifest of every artifact, `files/` the small results, and
`Snakefile` and `rules/` the workflow. What is not here is named by its sha256.
"""
# Whose they are or where they ran; and who asked to be taken out, by hashes that anyone with the annotations can match.
PRIVATE_SETTINGS = frozenset({"contact", "connect_to", "allow_addresses", "exclude"})
# Stage -> suffixes of the files of which a crate may hold copies -> whether it does so at any size.
Published = Mapping[str, Mapping[str, bool]]
_RULES = re.compile(r"rules/[^/]+\.smk")
_MANIFEST = re.compile(r"manifests/([^/]+)/[^/]+\.json")
_FILE = re.compile(r"files/([^/]+)/(.+)")
_MAIL = re.compile(r"(?<![\w.+-])(?:[\w.+-]++@(?:[\w-]++\.)+[A-Za-z]{2,})+")  # one, or several that touch
_ROOT = re.compile(r"(?:file://|[a-z]+:(?=/(?!/)))?[/~]")


def is_crate_file(crate: Path, file: str) -> bool:
    """Whether ``file``, a path in the folder of a crate, is what every crate has, a manifest, or named by one.

    Its manifests say so, not its metadata, which Snakemake deletes before it runs the job that replaces the crate.
    """
    if file in (METADATA, README, WORKFLOW) or _RULES.fullmatch(file):
        return True
    if found := _MANIFEST.fullmatch(file):
        return bool(_files_of(crate / file, found[1]))
    found = _FILE.fullmatch(file)
    if found is None:
        return False
    stage, rest = found.groups()
    names = ((rest[:at], rest[at:]) for at, character in enumerate(rest) if character in "./")
    return any(suffix in _files_of(crate / "manifests" / stage / f"{name}.json", stage) for name, suffix in names)


def contents(crate: Path) -> tuple[list[Path], list[Path]]:
    """The crate's own files, in an order in which they can be removed, and what else lies there, links too."""
    own: list[Path] = []
    foreign: list[Path] = []
    for path in sorted(crate.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            is_own = not path.is_symlink() and is_crate_file(crate, path.relative_to(crate).as_posix())
            (own if is_own else foreign).append(path)
    # Data files first: the manifests say that they are the crate's.
    return sorted(own, key=lambda path: path.relative_to(crate).parts[0] != "files"), foreign


def _files_of(manifest: Path, stage: str) -> dict[str, object]:
    """Suffix -> what the manifest of an artifact says of the file; empty if it is no manifest of this stage."""
    content = read_object_or_none(manifest) or {}
    files = content.get("files")
    return files if content.get("stage") == stage and isinstance(files, dict) else {}


def goes_along(published: Published, stage: str, suffix: str, size: int, limit: int) -> bool:
    """Whether a crate holds a copy of the file: one that may be published, if it has at most ``limit`` bytes."""
    return any(
        fnmatchcase(suffix, pattern) and (at_any_size or size <= limit)
        for pattern, at_any_size in published.get(stage, {}).items()
    )


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as one level, without private ones, absolute paths, logins and mail addresses; null ones left out."""
    return {
        name: public_value(value)
        for name, value in flat(settings).items()
        if value not in (None, {}) and PRIVATE_SETTINGS.isdisjoint(name.split("."))
    }


def public_value(value: Any) -> Any:
    """A value with private parts of its texts removed."""
    if isinstance(value, str):
        return public_text(value)
    if isinstance(value, Mapping):
        return public_settings(value)
    if isinstance(value, list | tuple):
        return [public_value(one) for one in value]
    return value


def public_text(text: str) -> str:
    """``/home/somebody/data/redcaps.zip`` -> ``.../redcaps.zip``; secrets in URLs and mail addresses are removed."""
    root = _ROOT.match(text)
    if root:
        return f".../{text[root.end() :].removesuffix('/').rpartition('/')[2]}"
    return _MAIL.sub("...", redacted(text))
