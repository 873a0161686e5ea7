"""One sequential copy of a file from a shared file system to a local disk, verified while it is written."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workflow_scripts.core.files.durable import sync_descriptor
from workflow_scripts.core.files.patience import patiently

PART, ORIGIN = ".part", ".origin"
BLOCK = 1 << 24  # bytes


@dataclass(frozen=True)
class Wanted:
    """A data file of an artifact.

    Attributes:
        path: of the file.
        manifest: that names it.
        suffix: of the file in the manifest.
        sha256: of its bytes, in hex.
        bytes: its size.
    """

    path: Path
    manifest: Path
    suffix: str
    sha256: str
    bytes: int


class Unlike(Exception):
    """The original does not have the bytes that its manifest records."""


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
        Unlike: the original has other bytes.
        LocalError: a write failed.
        OSError: a read failed.
    """
    part = target.with_suffix(PART)
    try:
        with on_local_disk():
            # Not synced: without its origin, a copy counts as outdated and is removed.
            origin = {"manifest": str(wanted.manifest.absolute()), "suffix": wanted.suffix}
            origin_of(target).write_text(json.dumps(origin))
            file = open(part, "wb")  # noqa: SIM115 - closed below; errors of reads must not count as its own
        try:
            digest, at = hashlib.sha256(), 0
            for block in _blocks(wanted):
                stop()
                digest.update(block)
                at += len(block)
                with on_local_disk():
                    file.write(block)
            if (at, digest.hexdigest()) != (wanted.bytes, wanted.sha256):
                raise Unlike(f"{at} bytes with sha256 {digest.hexdigest()}")
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


def _blocks(wanted: Wanted) -> Iterator[bytes]:
    """The file's bytes, in order; it is opened again after an error that may pass."""
    opened: list[int] = []

    def read(at: int) -> bytes:
        if not opened:
            opened.append(os.open(wanted.path, os.O_RDONLY))
            os.posix_fadvise(opened[0], 0, 0, os.POSIX_FADV_SEQUENTIAL)
        try:
            return os.pread(opened[0], BLOCK, at)
        except OSError:
            os.close(opened.pop())
            raise

    try:
        at = 0
        while block := patiently(partial(read, at), wanted.path):
            yield block
            at += len(block)
    finally:
        for descriptor in opened:
            os.close(descriptor)
