"""Which files a crate lists as its own."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.provenance.crate.base import METADATA


def listed_files(crate: Path) -> frozenset[str]:
    """Paths in the folder of a crate of the files that its metadata describes, and of the metadata.

    Empty if the metadata is missing or unreadable.
    """
    try:
        status = (crate / METADATA).stat()
    except OSError:
        return frozenset()
    return _listed(crate, status.st_mtime_ns, status.st_ino)


def foreign_files(crate: Path) -> list[Path]:
    """What is in the folder of a crate, folders aside, and not listed; links are not followed."""
    listed = listed_files(crate)
    inside = (path for path in sorted(crate.rglob("*")) if path.is_symlink() or not path.is_dir())
    return [path for path in inside if path.is_symlink() or path.relative_to(crate).as_posix() not in listed]


@lru_cache(maxsize=8)
def _listed(crate: Path, *_: int) -> frozenset[str]:
    graph = (read_object_or_none(crate / METADATA) or {}).get("@graph")
    entities = [one for one in graph if isinstance(one, dict)] if isinstance(graph, list) else []
    files = (one["@id"] for one in entities if isinstance(one.get("@id"), str) and _is_file(one.get("@type")))
    return frozenset(unquote(name) for name in files if not name.startswith("#")) | {METADATA}


def _is_file(kinds: object) -> bool:
    return kinds == "File" or (isinstance(kinds, list) and "File" in kinds)
