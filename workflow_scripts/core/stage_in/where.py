"""Which nodes may hold copies of a results folder's files, and where."""

import hashlib
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import STAGED_IN
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.core.stage_in.stage_in import OWN, own_folder

_OWN = re.compile(rf"{OWN}[0-9]+")


class Place(NamedTuple):
    """A node's folder of copies, and the file that says so."""

    record: Path
    host: str
    folder: Path

    @property
    def here(self) -> bool:
        """Whether it is on this node."""
        return self.host == socket.gethostname()

    @property
    def gone(self) -> bool:
        """Whether this node has no such folder; one in another user's private folder may be there."""
        try:
            self.folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False


def note_folder(results: Path, folder: str) -> None:
    """Note that this node keeps copies of files in ``results`` in ``folder``; forget its folders that are gone.

    The note is on disk when this returns, so that a crash leaves no copy that a removal would not find.
    """
    for place in places(results)[0]:
        if place.here and place.gone:
            place.record.unlink(missing_ok=True)
    own = own_folder(folder)
    if own is None:
        return
    host = socket.gethostname()
    named = hashlib.sha256(f"{host}\n{own}".encode()).hexdigest()[:32]
    write_note(results / STAGED_IN / f"{named}.json", {"host": host, "folder": str(own)})


def places(results: Path) -> tuple[list[Place], list[Path]]:
    """What was noted, and the notes that are damaged."""
    found, damaged = [], []
    for path in sorted((results / STAGED_IN).glob("*.json")):
        try:
            noted = read_note(path, "remove the copies on its node by hand, then the note")
        except PipelineError:
            damaged.append(path)
            continue
        if not noted:  # another process has just removed it
            continue
        if _is_place(noted):
            found.append(Place(path, noted["host"], Path(noted["folder"])))
        else:
            damaged.append(path)
    return found, damaged


def _is_place(noted: Mapping[str, object]) -> bool:
    """Whether a note is one that :func:`note_folder` writes, since ``remove`` deletes files in the folder it names."""
    host, folder = noted.get("host"), noted.get("folder")
    if not isinstance(host, str) or not isinstance(folder, str):
        return False
    path = Path(folder)
    return path.is_absolute() and ".." not in path.parts and _OWN.fullmatch(path.name) is not None
