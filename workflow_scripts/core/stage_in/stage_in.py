"""Copies the files of images to the node where they are read, and notes which nodes hold such copies."""

import errno
import hashlib
import logging
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import STAGED_IN
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.core.shards import Encoded, TarImages, manifest_of
from workflow_scripts.core.stage_in.store import LocalError, LocalStore, NotCopied, Wanted

log = logging.getLogger(__name__)
OF_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # these say nothing about the file
OWN = "faithful-pairs-"  # start of the names of users' folders for copies
_OWN = re.compile(rf"{OWN}[0-9]+")


class StagedImages(TarImages):
    """The same images as those of ``images``, whatever happens to the copies.

    Args:
        images: on the shared file system.
        copies: number of a tar -> its copy.

    Images are verified when they are read, from whichever file. A copy that can't be read, or that is damaged, is named
    in the log, not used any more and removed.
    """

    def __init__(self, images: TarImages, copies: Mapping[int, Path]) -> None:
        self.copies = dict(copies)
        super().__init__(images.tars, images.tar, images.offset, images.size, images.sha256)

    def _start(self) -> None:
        super()._start()
        nearest = [self.copies.get(number, tar) for number, tar in enumerate(self.tars)]
        # A local disk that fails is not waited for.
        self._near = TarImages(nearest, self.tar, self.offset, self.size, self.sha256, waits=())
        self._used = set(self.copies)

    def bytes(self, row: int) -> Encoded:
        """The encoded image of ``row``; see :meth:`TarImages.bytes`."""
        which = int(self.tar[row])
        if which in self._used:
            try:
                return self._near.bytes(row)
            except (OSError, PipelineError) as error:
                if isinstance(error, OSError) and error.errno in OF_PROCESS:
                    raise
                self._give_up(which, error)
        return super().bytes(row)

    def _give_up(self, which: int, error: OSError | PipelineError) -> None:
        with self._lock:
            if which not in self._used:
                return
            self._used.remove(which)
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else error.what
        log.warning("%s in %s; reading %s instead", reason, self.copies[which], self.tars[which])
        with suppress(OSError):
            self.copies[which].unlink(missing_ok=True)


@dataclass
class Report:
    """What a process staged in.

    Attributes:
        files: copies that it uses.
        bytes: their size.
        copied: bytes that it copied itself; others were there.
        seconds: that this took, waiting for other processes included.
        on_shared: number of files that are read from the shared file system, by reason.
    """

    files: int = 0
    bytes: int = 0
    copied: int = 0
    seconds: float = 0.0
    on_shared: Counter[str] = field(default_factory=Counter)


def own_folder(folder: str) -> Path | None:
    """This user's folder for copies in ``folder``, with the job's variables; None if that is no absolute path, as
    where one of them is not set or empty."""
    place = os.path.expandvars(folder)
    return None if "$" in place or not os.path.isabs(place) else Path(place, f"{OWN}{os.getuid()}")


@contextmanager
def staged(images: TarImages, folder: str, most: int, stop: Callable[[], None]) -> Iterator[tuple[TarImages, Report]]:
    """The same images, read from copies on this node as far as there is room; they are locked during the block.

    Args:
        images: on a shared file system.
        folder: on a disk of the node, or in its memory; may contain variables such as ``$TMPDIR``.
        most: bytes of all copies in it.
        stop: called while waiting and copying; raises to end that.

    Raises:
        PipelineError: a tar is missing, or its manifest is damaged.
        OSError: a tar can't be read.
    """
    start, report = time.monotonic(), Report()
    place = own_folder(folder)
    if place is None:
        log.warning("%s is no absolute path on this node; reading from the shared file system", folder)
        report.on_shared["folder"] = len(images.tars)
        yield images, report
        return
    with closing(LocalStore(place, most, stop)) as store:
        copies = _copies(images, store, report)
        report.seconds = round(time.monotonic() - start, 3)
        others = ", ".join(f"{reason} {count}" for reason, count in report.on_shared.items())
        log.info("%d files are read from %s; from the shared file system: %s", report.files, place, others or "none")
        yield StagedImages(images, copies), report


def _copies(images: TarImages, store: LocalStore, report: Report) -> dict[int, Path]:
    """Number of a tar -> its copy. Those that exist are locked first, so that making room does not remove them."""
    wanted = {number: _wanted(tar) for number, tar in enumerate(images.tars)}
    try:
        store.open()
        found = store.present(wanted)
    except LocalError as error:
        log.warning("%s; reading from the shared file system", error)
        report.on_shared["folder"] = len(wanted)
        return {}
    for number in sorted(wanted.keys() - found.keys()):
        one = wanted[number]
        try:
            found[number], made = store.get(one)
            report.copied += one.bytes * made
        except NotCopied as error:  # whoever reads a damaged image reports that
            report.on_shared[str(error)] += 1
        except LocalError as error:
            log.warning("%s; reading %s instead of a copy", error, one.path)
            report.on_shared["local_disk"] += 1
    report.files, report.bytes = len(found), sum(wanted[number].bytes for number in found)
    return found


def _wanted(tar: Path) -> Wanted:
    manifest = manifest_of(tar)
    recorded = Artifact(manifest).manifest["files"][tar.suffix]
    return Wanted(tar, manifest, recorded["sha256"], recorded["bytes"])


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
        except OSError as error:
            return isinstance(error, FileNotFoundError | NotADirectoryError)
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
