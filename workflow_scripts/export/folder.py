"""An exported folder: written as a whole, and replaced only by another export."""

import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.durable import make_folders, move_folder_durable
from workflow_scripts.core.files.jsonio import pretty

_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part\.old")  # a folder that is being replaced
LISTING = "export.json"  # name and sha256 of every other file, so that an incomplete or edited folder is noticed


def write_listing(folder: Path) -> None:
    """Write the listing of a folder's files."""
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.name != LISTING}
    (folder / LISTING).write_bytes(pretty({"files": files}))


def fault_of(folder: Path) -> str | None:
    """Why a folder is not a complete export, as it was written; None if it is one."""
    files = (read_object_or_none(folder / LISTING) or {}).get("files")
    if not isinstance(files, dict):
        return f"no readable {LISTING}"
    present = {path.name for path in folder.iterdir()} - {LISTING}
    if missing := sorted(files.keys() - present):
        return f"{missing[0]} is missing"
    if more := sorted(present - files.keys()):
        return f"{more[0]} is not part of an export"
    changed = [name for name, value in files.items() if not _holds(folder / name, value)]
    return f"{changed[0]} was changed" if changed else None


def _holds(path: Path, sha256: object) -> bool:
    return path.is_file() and not path.is_symlink() and file_hash(path) == sha256


def check_target(folder: Path) -> None:
    """Refuse a target whose content is not an earlier export.

    Raises:
        PipelineError: it is no folder, or has files that an export would destroy.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise PipelineError("not a folder", folder, "a link or file has this name", "give another folder")
    if folder.exists() and any(folder.iterdir()) and (fault := fault_of(folder)):
        advice = "move it away, or give a new or empty folder"
        raise PipelineError("folder in use", folder, f"not a complete earlier export: {fault}", advice)


def settle_folder(folder: Path) -> None:
    """Complete a replacement that was killed: put back what it set aside, or remove that if the new folder is there."""
    for aside in sorted(folder.parent.iterdir()) if folder.parent.is_dir() else ():
        named = _ASIDE.fullmatch(aside.name)
        if named and named[1] == folder.name and not aside.is_symlink():
            if not os.path.lexists(folder) and fault_of(aside) is None:
                os.rename(aside, folder)
            elif folder.is_dir() and fault_of(folder) is None:
                shutil.rmtree(aside)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill ``folder`` by ``write``: it then holds everything and its listing, or is as it was before."""
    make_folders(folder.parent)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    part.mkdir()
    try:
        write(part)
        write_listing(part)
        move_folder_durable(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
