"""Which files in the folder of a crate are the crate's own.

Its manifests say so, not its metadata, which Snakemake deletes before it runs the job that replaces the crate.
"""

import re
from pathlib import Path

from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.provenance.crate.base import METADATA, README, WORKFLOW

_RULES = re.compile(r"rules/[^/]+\.smk")
_MANIFEST = re.compile(r"manifests/([^/]+)/[^/]+\.json")
_FILE = re.compile(r"files/([^/]+)/(.+)")


def is_crate_file(crate: Path, file: str) -> bool:
    """Whether ``file``, a path in the folder of a crate, is what every crate has, a manifest, or named by one."""
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
