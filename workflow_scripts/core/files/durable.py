"""Writes that survive a crash: data is on disk before it is renamed into place, and the rename is synced too.

POSIX promises none of this by itself. After a power loss a file can be empty although its rename survived, and a rename
can be lost although the program ended normally. ``docs/artifacts.md`` says what is guaranteed on which file system.
Every OSError names its file, even where Python leaves the name out (``write`` and ``fsync``).
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # a file system that can't sync folders
# (path, device, inode) of files and folders whose entry this process has synced.
_synced: set[tuple[str, int, int]] = set()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add ``path`` to an OSError that names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_descriptor(descriptor: int, path: Path) -> None:
    """Sync an open file to disk; ``path`` is its name in errors.

    Raises:
        OSError: the sync failed; what was written may be lost.
    """
    with naming(path):
        os.fsync(descriptor)


def sync_file(path: Path) -> None:
    """Sync a file's content to disk; its entry in the folder is not synced.

    Raises:
        OSError: the sync failed; the content may be lost.
    """
    with open(path, "rb") as stream:
        sync_descriptor(stream.fileno(), path)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries (new, renamed and removed names) to disk; does nothing on file systems that can't.

    Raises:
        OSError: the folder can't be opened, or the sync failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_descriptor(descriptor, folder)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_parents(paths: Iterable[Path]) -> None:
    """Sync the entries of ``paths`` and of all folders above them to disk, up to the working directory or mount point.

    That includes existing entries: another process may have created them and been killed before its own sync.
    An entry is synced once per process. Folders that this user may not read are left out.
    """
    waiting: dict[Path, list[tuple[str, int, int]]] = {}
    for path in paths:
        for one in (path, *path.parents):
            status, above = one.stat(), one.parent.stat()
            if one == one.parent or status.st_dev != above.st_dev:
                break
            stamp = (str(one), status.st_dev, status.st_ino)
            if stamp not in _synced:
                waiting.setdefault(one.parent, []).append(stamp)
    for parent in sorted(waiting):
        with suppress(PermissionError):
            sync_folder(parent)
        _synced.update(waiting[parent])


def make_folders(folder: Path) -> None:
    """Create ``folder`` and its missing parents, and call :func:`sync_parents`."""
    folder.mkdir(parents=True, exist_ok=True)
    sync_parents([folder])


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the content of ``path`` by ``data``; a crash leaves the old file or the new one, never a partial one.

    Which of the two is undetermined until the folder is synced.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with naming(temporary), open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            sync_descriptor(stream.fileno(), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_durable(path: Path, data: bytes) -> None:
    """:func:`write_atomic`, and the new file is on disk when this returns."""
    write_atomic(path, data)
    sync_folder(path.parent)


def move_atomic(part: Path, target: Path) -> None:
    """Sync a finished file and rename it to ``target``; a crash leaves the old target or the complete new one."""
    sync_file(part)
    os.replace(part, target)


def move_durable(part: Path, target: Path) -> None:
    """:func:`move_atomic`, and the new file is on disk when this returns."""
    move_atomic(part, target)
    sync_folder(target.parent)


def move_folder_durable(part: Path, target: Path) -> None:
    """Sync everything in a finished folder and rename it to ``target``; an existing folder is removed afterwards.

    Between the two renames there is no ``target``, but never an incomplete one.
    """
    for folder, _, names in os.walk(part):
        for name in names:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))
    aside = part.with_name(f"{part.name}.old")
    if target.exists():
        os.rename(target, aside)
    os.rename(part, target)
    sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
