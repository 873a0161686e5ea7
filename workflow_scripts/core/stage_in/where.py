"""Which nodes may hold copies of a results folder's files, and where."""

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.names import STAGED_IN
from workflow_scripts.core.stage_in.stage_in import own_folder


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
    """Note that this node keeps copies of files in ``results`` in ``folder``; forget its folders that are gone."""
    for place in places(results):
        if place.here and place.gone:
            place.record.unlink(missing_ok=True)
    own = own_folder(folder)
    if own is None:
        return
    host = socket.gethostname()
    named = hashlib.sha256(f"{host}\n{own}".encode()).hexdigest()[:32]
    path = results / STAGED_IN / f"{named}.json"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        write_atomic(path, json.dumps({"host": host, "folder": str(own)}).encode())


def places(results: Path) -> Iterator[Place]:
    """What was noted; damaged notes are left out."""
    for path in sorted((results / STAGED_IN).glob("*.json")):
        with suppress(KeyError, TypeError, OSError):
            noted = read_object_or_none(path) or {}
            yield Place(path, str(noted["host"]), Path(noted["folder"]))
