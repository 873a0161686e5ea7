"""Notes in an exported folder that images which the network learned from were removed from its study."""

import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object, read_object_or_none
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export.folder import fault_of, replace_folder, settle_folder
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.export.markdown import code

CARD, REMOVED = "README.md", "removed.json"  # the latter: key of a removed image -> day of its removal
SHOWN = 100  # keys of a day in the card
_START, _END = "<!-- removed images: written by faithful-pairs remove -->", "<!-- end of removed images -->"
_SECTION = re.compile(f"{re.escape(_START)}.*?{re.escape(_END)}", re.DOTALL)


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
    if lines:
        lines = [
            f"Images that it learned from and that were removed from its study later: {len(removed):,}",
            "",
            *lines,
        ]
    else:
        lines = ["No image that it learned from has been removed from its study since."]
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
