"""Finished artifacts by key, under ``results/.cache/<stage>/<key>/``.

An entry is a folder ``{manifest.json, run.json, files/_<suffix>}`` that one rename puts in place, so a
partial entry never appears. Data files are read-only; results are hard links to them, else reflinks, else copies.
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.durable import naming, sync_descriptor, sync_folder
from workflow_scripts.core.files.names import DISCARDED, ENTRY_MANIFEST
from workflow_scripts.core.files.patience import patiently
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.files.sharing import holder_of, note_holder
from workflow_scripts.core.record import Entry, read_entry

log = logging.getLogger(__name__)
_FICLONE = 0x40049409
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # a file system says that it has none


def results_root(path: Path) -> Path:
    """The results folder above ``results/<study>/<stage>/<name>``."""
    return path.parent.parent.parent


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, in hex; errors of file servers that pass are waited for."""

    def read() -> str:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return patiently(read, path)


def stored(entry: Path, suffix: str) -> Path:
    """Where an entry keeps the data file with ``suffix`` (``.parquet``, ``/last.safetensors``...)."""
    return entry / "files" / f"_{suffix}"


def lookup(entry: Path) -> dict[str, Any] | None:
    """The manifest of a cache entry that is complete and intact, else None; a hit is marked as used now.

    Every file must have the recorded hash, the manifest must be the one that the entry's run record was written for,
    and that record must belong to this key. A damaged entry is left in place; the holder of the key's lock discards it.
    An OSError of the file system does not count as damage and is passed on to the caller.
    """
    try:
        manifest = whole_entry(entry).manifest
        for suffix, recorded in manifest["files"].items():
            if file_hash(stored(entry, suffix)) != recorded["sha256"]:
                raise Unfit(f"_{suffix} differs from what the manifest records")
    except (FileNotFoundError, NotADirectoryError):
        if not entry.exists():
            return None
        reason = "a file is missing"
    except Unfit as error:
        reason = str(error)
    else:
        with suppress(OSError):  # a cache of another user can be read all the same
            os.utime(entry / ENTRY_MANIFEST)
        return manifest
    log.warning("cache entry %s is damaged (%s); recomputing it", entry, reason)
    return None


def whole_entry(entry: Path) -> Entry:
    """A cache entry whose data files have the recorded sizes; unlike :func:`lookup`, this reads no data.

    Raises:
        Unfit: the entry is damaged; says how.
        OSError: a file is missing or can't be read.
    """
    loaded = read_entry(entry)
    for suffix, recorded in loaded.manifest["files"].items():
        if stored(entry, suffix).stat().st_size != recorded["bytes"]:
            raise Unfit(f"_{suffix} differs from what the manifest records")
    return loaded


def discard(entry: Path) -> None:
    """Remove an entry from the cache: rename it, sync the rename, and delete it; a crash leaves no partial entry."""
    aside = entry.with_name(f"{DISCARDED}{uuid.uuid4().hex}")
    try:
        os.rename(entry, aside)
    except FileNotFoundError:
        return
    sync_folder(entry.parent)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


def place(entry: Path, artifact: Path, manifest: dict[str, Any]) -> bool:
    """Link an entry's data files beside ``artifact`` (path without suffix); False when the entry lacks one."""
    for suffix in manifest["files"]:
        source, target = stored(entry, suffix), target_of(artifact, suffix)
        try:
            if not target.exists() or not os.path.samefile(source, target):
                link(source, target)
        except FileNotFoundError:
            if source.exists():
                raise
            return False
    return True


def target_of(artifact: Path, suffix: str) -> Path:
    """Path of an artifact's data file.

    Raises:
        PipelineError: the artifact's own folder, or one in it, is a link, so that the file would be written elsewhere.
    """
    target = Path(f"{artifact}{suffix}")
    for folder in target.parents:
        if folder == artifact.parent:
            break
        if folder.is_symlink():
            raise PipelineError("not a folder", folder, "a symbolic link", "remove it, then run the same command again")
    return target


def link(source: Path, target: Path) -> None:
    """Give ``target`` the bytes of ``source``: hard link, else reflink, else copy; replaced by rename.

    The bytes are then on disk; the target's name is durable once its folder has been synced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            _clone(source, temporary)
            os.chmod(temporary, 0o444)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _clone(source: Path, target: Path) -> None:
    with open(source, "rb", opener=open_plain) as read, naming(target), open(target, "wb") as write:
        try:
            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
        except OSError:
            while block := _read(read, source):
                write.write(block)
        write.flush()
        sync_descriptor(write.fileno(), target)


def _read(stream: BinaryIO, path: Path) -> bytes:
    with naming(path):
        return stream.read(1 << 20)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE):  # stale: removed by another node
            raise
        return False


@contextmanager
def key_lock(work: Path) -> Iterator[bool]:
    """One writer per key: wait until no other process holds ``<work>.lock``; False where the file system has no locks.

    Correctness does not depend on it, since publishing is a rename; it avoids computing the same artifact twice and
    keeps two processes out of one work folder.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    path = work.with_name(work.name + ".lock")
    while True:
        with open(path, "ab", opener=open_plain) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                advice = "to continue its work here, end that process"
                log.info("waiting for another process that does the same work: %s; %s", holder_of(path), advice)
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                log.warning("this file system has no locks; never run two Snakemake processes on one results folder")
                yield False
                return
            # The previous holder removed the file: our lock is on a file that no other process will open.
            if _same_file(stream.fileno(), path):
                try:
                    with suppress(OSError):  # a full disk; the lock is held all the same
                        note_holder(stream)
                    yield True
                finally:
                    path.unlink(missing_ok=True)
                return


@contextmanager
def try_key_lock(work: Path, without_locks: bool = False) -> Iterator[bool]:
    """Whether ``<work>.lock`` is free; if so, it is held for the duration of the block.

    Also False in another user's folder. Where the file system has no locks, the result is ``without_locks``.
    """
    path = work.with_name(work.name + ".lock")
    with ExitStack() as stack:
        try:
            work.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(open(path, "ab", opener=open_plain))
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            acquired = _same_file(stream.fileno(), path)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EPERM, errno.EROFS, *NO_LOCKS):
                raise
            acquired = without_locks and error.errno in NO_LOCKS
        if acquired:
            stack.callback(path.unlink, missing_ok=True)
            with suppress(OSError):
                note_holder(stream)
        yield acquired
