"""Copies of large files on a node's own disk, shared by all processes of a user on that node.

A copy is named by the sha256 of its bytes, and gets this name only when all of them are on the disk and have that hash.
A process that is killed while it copies leaves a file that no other process reads, and that the next one removes. One
process copies at a time, each file once. A copy is locked (flock) by every process that uses it. Where room is needed,
copies that no process uses are removed, starting with those that have not been used for the longest time.
"""

import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.core.files.durable import sync_descriptor
from workflow_scripts.core.files.patience import patiently
from workflow_scripts.core.record import load_manifest

PART, ORIGIN = ".part", ".origin"
BLOCK = 1 << 24  # bytes
log = logging.getLogger(__name__)
LOCK = ".lock"
LEFT_FREE = 0.05  # share of the disk that copies leave to others
SECONDS_BETWEEN_TRIES = 0.2
_COPY_NAME = re.compile(r"[0-9a-f]{64}(?:\.(?!part$|origin$)\w+)?")
_PART_NAME = re.compile(rf"[0-9a-f]{{64}}\{PART}")
_ORIGIN_NAME = re.compile(rf"{_COPY_NAME.pattern}\{ORIGIN}")


@dataclass(frozen=True)
class Wanted:
    """A data file of an artifact.

    Attributes:
        path: of the file.
        manifest: that names it.
        sha256: of its bytes, in hex.
        bytes: its size.
    """

    path: Path
    manifest: Path
    sha256: str
    bytes: int


class NotCopied(Exception):
    """There is no copy, for a reason of the original or of the folder's limits; ``str()`` is one of these.

    - ``damaged``: the original does not have the bytes that its manifest records.
    - ``no_room``: the copy would exceed the limit, or leave too little free space, whatever is removed.
    """


class LocalError(Exception):
    """The local disk failed."""


@contextmanager
def on_local_disk() -> Iterator[None]:
    """Turn any OSError into a LocalError, so that it can't be mistaken for one of the shared file system."""
    try:
        yield
    except OSError as error:
        raise LocalError(str(error)) from error


def origin_of(copied: Path) -> Path:
    """The file beside a copy that says where it is from."""
    return copied.with_name(copied.name + ORIGIN)


def copy(wanted: Wanted, target: Path, stop: Callable[[], None]) -> None:
    """Copy a file block by block; ``target`` appears only when it is complete and verified.

    A read that fails as those of file servers do at times is repeated
    (:func:`~workflow_scripts.core.files.patience.patiently`).

    Args:
        wanted: the original, its hash and its size.
        target: the copy. Only one process may copy to its folder at a time.
        stop: called before each block; raises to end the copy.

    Raises:
        NotCopied: the original has other bytes.
        LocalError: a write failed.
        OSError: a read failed.
    """
    part = target.with_suffix(PART)
    try:
        with on_local_disk():
            # Not synced: without its origin, a copy counts as outdated and is removed.
            origin = {"manifest": str(wanted.manifest.absolute()), "suffix": wanted.path.suffix}
            origin_of(target).write_text(json.dumps(origin))
            file = open(part, "wb")  # noqa: SIM115 - closed below; errors of reads must not count as its own
        try:
            digest, at = hashlib.sha256(), 0
            while block := patiently(partial(_block, wanted.path, at), wanted.path):
                stop()
                digest.update(block)
                at += len(block)
                with on_local_disk():
                    file.write(block)
            if (at, digest.hexdigest()) != (wanted.bytes, wanted.sha256):
                raise NotCopied("damaged")
            with on_local_disk():
                file.flush()
                sync_descriptor(file.fileno(), part)
        finally:
            with suppress(OSError):
                file.close()
        with on_local_disk():
            os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _block(path: Path, at: int) -> bytes:
    """A block of a file. It is opened again for each block: a handle that has become stale does not recover."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, BLOCK, at)
    finally:
        os.close(descriptor)


@dataclass
class LocalStore:
    """The copies in a folder.

    Attributes:
        folder: of this user in the folder that the settings name.
        most: bytes of all copies together.
        stop: called while waiting and copying; raises to end that.
    """

    folder: Path
    most: int
    stop: Callable[[], None] = lambda: None
    _held: dict[Path, int] = field(default_factory=dict, init=False)  # copies and their open files

    def open(self) -> tuple[int, int]:
        """Create the folder, and remove what killed processes left and copies whose original was replaced or removed.

        Returns:
            Number of such copies that were removed, and of those that are in use.

        Raises:
            LocalError: it can't be created, or is not this user's alone.
        """
        with on_local_disk():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
                raise PermissionError(f"{self.folder} is not a folder that this user alone can write to")
            with self._alone():
                for left in self._named(_PART_NAME.fullmatch):
                    left.unlink(missing_ok=True)
                done = [self._remove_unused(copied) for copied in self._copies() if _is_outdated(copied)]
                for left in self._named(_ORIGIN_NAME.fullmatch):
                    if not left.with_name(left.name.removesuffix(ORIGIN)).exists():
                        left.unlink(missing_ok=True)
        return done.count(True), done.count(False)

    def close(self) -> None:
        """Release all copies that this process uses."""
        while self._held:
            os.close(self._held.popitem()[1])

    def present(self, wanted: Mapping[int, Wanted]) -> dict[int, Path]:
        """The copies that there are of some files, from then on locked by this process.

        Raises:
            LocalError: the folder can't be read.
        """
        with on_local_disk(), self._alone():
            found = {number: self._take(one) for number, one in wanted.items()}
        return {number: copied for number, copied in found.items() if copied is not None}

    def get(self, wanted: Wanted) -> tuple[Path, bool]:
        """A file's copy, from then on locked by this process, and whether this process made it.

        Raises:
            NotCopied: there is no room for it, or the original does not have the recorded bytes.
            LocalError: the folder can't be written to.
            OSError: the original can't be read.
        """
        with self._alone():
            with on_local_disk():
                found = self._take(wanted)
                if found is not None:
                    return found, False
                self._make_room(wanted.bytes)
            copy(wanted, self._path(wanted), self.stop)
            with on_local_disk():
                found = self._take(wanted)
                assert found is not None
                return found, True

    def _path(self, wanted: Wanted) -> Path:
        return self.folder / f"{wanted.sha256}{wanted.path.suffix}"

    def _take(self, wanted: Wanted) -> Path | None:
        path = self._path(wanted)
        if path in self._held:
            return path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        if os.fstat(descriptor).st_size != wanted.bytes:
            os.close(descriptor)
            path.unlink()
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        self._held[path] = descriptor
        os.utime(path)
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the folder."""
        with on_local_disk():
            stream = open(self.folder / LOCK, "ab")  # noqa: SIM115 - closed below
        with stream:
            waiting = False
            while not _locked(stream.fileno()):
                if not waiting:
                    log.info("another process copies to %s; waiting for it", self.folder)
                waiting = True
                self.stop()
                time.sleep(SECONDS_BETWEEN_TRIES)
            yield

    def _make_room(self, size: int) -> None:
        if self._fits(size):
            return
        unused = [copied for copied in self._copies() if copied not in self._held]
        unused.sort(key=lambda copied: copied.stat().st_mtime_ns)  # set when a copy is taken
        while not self._fits(size):
            if size > self.most or not unused:
                raise NotCopied("no_room")
            self._remove_unused(unused.pop(0))

    def _fits(self, size: int) -> bool:
        disk = shutil.disk_usage(self.folder)
        total = sum(copied.stat().st_size for copied in self._copies())
        return total + size <= self.most and disk.free - size >= LEFT_FREE * disk.total

    def _copies(self) -> list[Path]:
        return self._named(_COPY_NAME.fullmatch)

    def _named(self, matches: Callable[[str], object]) -> list[Path]:
        """Regular files with such names; whatever else lies in the folder, links too, is left alone."""
        named = (path for path in self.folder.iterdir() if matches(path.name))
        return [path for path in named if stat.S_ISREG(path.lstat().st_mode)]

    def _remove_unused(self, copied: Path) -> bool:
        with open(copied, "rb") as stream:
            if not _locked(stream.fileno()):
                return False
            copied.unlink()
        origin_of(copied).unlink(missing_ok=True)
        return True


def _locked(descriptor: int) -> bool:
    """Whether this process got the lock of an open file; it holds it until the file is closed."""
    with on_local_disk():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_outdated(copied: Path) -> bool:
    """Whether no manifest names the bytes of a copy any more, as far as that is known."""
    try:
        origin = read_object(origin_of(copied))
        manifest, suffix = Path(origin["manifest"]), str(origin["suffix"])
    except (FileNotFoundError, Unfit, KeyError, TypeError):
        return True
    try:
        loaded = load_manifest(manifest)
    except OSError:  # a file server that does not answer says nothing about the copy
        return False
    return loaded.fault is not None or loaded.content["files"].get(suffix, {}).get("sha256") != copied.stem
