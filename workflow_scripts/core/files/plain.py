"""What other people may have put into a results folder that they share: names in JSON files, links, FIFOs.

Manifests and run records name files by suffix. One with ``..``, or a link on the way, would lead out of the study, and
a job would then replace any file of the person who runs it. Hashes don't prevent that: whoever writes the name writes
the hash too.
"""

import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, kind_of

OWN = (".manifest.json", ".run.json")  # suffixes of an artifact's manifest and run record
LONGEST = 200  # bytes of a suffix: with the names of artifacts and of temporary files, file systems allow 255
NOT_PLAIN = (errno.ELOOP, errno.ENXIO, errno.EISDIR)  # of an open: a link, a FIFO or socket, a folder


def check_suffix(suffix: str) -> str:
    """Give the suffix of a data file: it is beside its manifest (``.parquet``) or in the artifact's own folder
    (``/curve.parquet``), at a path of plain names.

    Raises:
        Unfit: it is not.
    """
    name, *inner = suffix.split("/")
    plain = suffix.isprintable() and "\\" not in suffix and len(suffix.encode()) <= LONGEST
    beside = name.startswith(".") and name not in (".", "..") and not inner
    within = not name and inner and not {"", ".", ".."} & set(inner)
    if not (plain and (beside or within)) or suffix.endswith(OWN):
        raise Unfit(f"unsafe file suffix {ascii(suffix)[:LONGEST]}")
    return suffix


def check_inside(folder: Path) -> None:
    """Check that there are only files and folders in a folder; nothing is opened or followed.

    Raises:
        Unfit: it is or holds something else, such as a link.
        OSError: there is no such folder, or it can't be read.
    """
    _check_kind(folder, folder)
    for inner, folders, names in os.walk(folder, onerror=_unreadable):
        for name in folders + names:
            _check_kind(Path(inner, name), folder)


def _check_kind(path: Path, folder: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        name = "it" if path == folder else ascii(str(path.relative_to(folder)))[1:-1]
        raise Unfit(f"{name} is {kind_of(mode)}")


def _unreadable(error: OSError) -> NoReturn:
    raise error


def open_plain(path: str | Path, flags: int, mode: int = 0o666) -> int:
    """Open a file whose name others can know and use, such as a lock; also an opener for :func:`open`.

    Raises:
        PipelineError: it is a link, or otherwise no regular file.
        OSError: it can't be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno not in NOT_PLAIN:
            raise
        raise _refusal(Path(path), os.lstat(path).st_mode) from None
    found = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(found):
        os.close(descriptor)
        raise _refusal(Path(path), found)
    return descriptor


def _refusal(path: Path, mode: int) -> PipelineError:
    return PipelineError(
        "not a regular file", path, f"it is {kind_of(mode)}", "find out who made it, and remove it; then run this again"
    )
