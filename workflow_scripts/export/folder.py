"""An exported folder: written as a whole, replaced only by another export, and marked when images that its network
learned from are removed from the study."""

import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object, read_object_or_none
from workflow_scripts.core.files.durable import make_folders, move_folder_durable
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.export.markdown import code

_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part\.old")  # a folder that is being replaced
LISTING = "export.json"  # name and sha256 of every other file, so that an incomplete or edited folder is noticed
CARD, REMOVED = "README.md", "removed.json"  # the latter: key of a removed image -> day of its removal
SHOWN = 100  # keys of a day in the card
_START, _END = "<!-- removed images: written by faithful-pairs remove -->", "<!-- end of removed images -->"
_SECTION = re.compile(f"{re.escape(_START)}.*?{re.escape(_END)}", re.DOTALL)


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


def check_target(folder: Path, mark: str = "") -> None:
    """Refuse a target whose content is not an earlier export.

    Args:
        mark: a file that only exports of this kind have.

    Raises:
        PipelineError: it is no folder, or has files that an export would destroy.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise PipelineError("not a folder", folder, "a link or file has this name", "give another folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    fault = fault_of(folder) or (f"it has no {mark}" if mark and not (folder / mark).exists() else None)
    if fault:
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
        files = {path.name: file_hash(path) for path in sorted(part.iterdir()) if path.name != LISTING}
        (part / LISTING).write_bytes(pretty({"files": files}))
        move_folder_durable(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def removed_section(removed: Mapping[str, str]) -> Markup:
    """The card's section between its marks: how many images were removed, which, and when."""
    days: dict[str, list[str]] = {}
    for key, day in sorted(removed.items()):
        days.setdefault(day, []).append(key)
    lines = [
        f"- {day} ({len(keys):,}): {', '.join(map(code, keys[:SHOWN]))}"
        + (f" and others, all of which are in {code(REMOVED)}" if keys[SHOWN:] else "")
        for day, keys in sorted(days.items())
    ]
    above = [f"Images that it learned from and that were removed from its study later: {len(removed):,}", ""]
    none = ["No image that it learned from has been removed from its study since."]
    lines = [*above, *lines] if lines else none
    return Markup("\n".join([_START, *lines, _END]))


def unlisted(folder: Path, weights: str, ids: Collection[str]) -> int:
    """How many removed images the card of a network does not list; 0 if the folder is gone or holds another network.

    Args:
        weights: sha256 of the network's file of weights.
        ids: tokens of the ids of removed images that it learned from.
    """
    try:
        if file_hash(folder / WEIGHTS) != weights:
            return 0
    except OSError:
        return 0
    known = read_object_or_none(folder / REMOVED) or {}
    return len(set(ids) - set(map(id_token, known)))


def note_removed(folder: Path, weights: str, keys: Iterable[str], day: str) -> int:
    """Add removed images to an exported folder's card; returns how many of them it did not list yet.

    Args:
        weights: sha256 of the file of weights of the network that learned from them.
        keys: of the images.
        day: of the removal.

    Raises:
        PipelineError: the folder is missing, incomplete or edited, or holds another network.
    """
    settle_folder(folder)
    fault = fault_of(folder) if folder.is_dir() else "it is not there"
    if folder.is_symlink():  # a link would be replaced by the new folder, and what it leads to would stay as it is
        fault = "it is a link"
    if fault is None and file_hash(folder / WEIGHTS) != weights:
        fault = "it holds another network now"
    known: dict[str, str] = {}
    if fault is None and (folder / REMOVED).exists():
        try:
            known = read_object(folder / REMOVED)
        except Unfit as error:  # those that it lists must stay in the card
            fault = f"{REMOVED} can't be read: {error}"
        if not all(isinstance(since, str) for since in known.values()):
            fault = f"{REMOVED} has values that are not days"
    if fault:
        advice = "add the removed images to the cards of its copies by hand, then delete the record"
        raise PipelineError("network that can't be marked", folder, fault, advice)
    new = {key: day for key in keys if key not in known}
    if not new:
        return 0
    removed = {**known, **new}
    card = (folder / CARD).read_text(encoding="utf-8")

    def write(part: Path) -> None:
        for path in folder.iterdir():
            shutil.copy2(path, part)
        (part / REMOVED).write_bytes(pretty(removed))
        section = removed_section(removed)
        (part / CARD).write_text(_SECTION.sub(lambda _: section, card), encoding="utf-8")

    replace_folder(folder, write)
    return len(new)
