"""People who share a results folder: permissions of new files, who a file belongs to, and who holds a lock."""

import grp
import os
import pwd
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import plain
from workflow_scripts.core.files.plain import open_plain

LONGEST = 400  # characters of a note in a lock


def share_with_group(results: Path) -> None:
    """If the folder's group may write to it, let the group write to everything that this process and its children make.

    The umask then has no bits of the group. Linux gives new files the folder's group if the folder has the setgid bit.
    """
    with suppress(OSError):
        if results.stat().st_mode & stat.S_IWGRP:
            os.umask(os.umask(0o077) & ~stat.S_IRWXG)


def user_name(number: int) -> str:
    """Name of a user; its number if this machine knows no name."""
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"user {number}"


def group_name(number: int) -> str:
    """Name of a group; its number if this machine knows no name."""
    with suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return f"group {number}"


def owner_of(path: Path, name: str = "it") -> str:
    """Owner, group and mode of a file or folder, or of the nearest folder above it, as a clause.

    Args:
        name: what the clause calls the file or folder itself.
    """
    for place in (path, *path.parents):
        with suppress(OSError):
            status = place.stat()
            owner = f"{user_name(status.st_uid)}:{group_name(status.st_gid)}"
            return f"{name if place == path else place} belongs to {owner}, {stat.filemode(status.st_mode)}"
    return f"the owner of {path} is unknown"


def note_holder(lock: BinaryIO) -> None:
    """Write into a lock file who holds it, for those who wait."""
    lock.truncate(0)
    lock.write(holder_text().encode())
    lock.flush()


def holder_text() -> str:
    """User, host, process and SLURM job of this process, and the time, for people."""
    job = os.environ.get("SLURM_JOB_ID")
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    slurm = f", SLURM job {job}" if job else ""
    return f"{user_name(os.getuid())} on {socket.gethostname()}, process {os.getpid()}{slurm}, since {since}"


def holder_of(lock: Path) -> str:
    """Who holds a lock, as :func:`note_holder` wrote it; the owner of the file if it is empty."""
    text = ""
    with suppress(OSError, PipelineError), open(lock, "rb", opener=open_plain) as stream:
        text = stream.read(LONGEST).decode(errors="replace")
    return plain(text) or owner_of(lock, "its lock")
