"""One-line errors of disks and file systems: the file, what failed, and what to do.

Python gives the file and the error number (``errno``) of most such errors. Some libraries give only a message, or not
even that, so the number is also searched for in the messages of the whole chain of exceptions.
"""

import errno
import os
import re
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.sharing import owner_of, user_name

_SAME = "then run the same command again; finished work is kept"
_FREE = f"free space there (faithful-pairs cache-gc removes what no study uses), {_SAME}"
_COUNTED = "quota -s or lfs quota shows it; a file counts for the group of its folder only if that has the setgid bit"
_QUOTA = f"free space, or request a larger quota ({_COUNTED}), {_SAME}"
_SHARE = f"give this user permission (docs/artifacts.md: sharing a results folder), {_SAME}"
ADVICE = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _QUOTA,
    errno.EIO: f"the disk or file server is failing; check it (dmesg, the server's log), {_SAME}",
    errno.EROFS: f"the file system is read-only; mount it writable, {_SAME}",
    errno.ESTALE: f"the file server replaced or removed the file; check the mount, {_SAME}",
    errno.ETIMEDOUT: f"the file server does not answer; check the mount, {_SAME}",
    errno.EMFILE: f"raise the limit of open files (ulimit -n), {_SAME}",
    errno.ENFILE: f"the machine has too many open files; close some, {_SAME}",
    errno.EACCES: _SHARE,
    errno.EPERM: _SHARE,
}
OF_DISKS = frozenset(ADVICE) - {errno.EACCES, errno.EPERM}
_NUMBERS = re.compile(r"(?:os error|code:|errno) (\d{1,3})\b", re.IGNORECASE)
_TEXTS = {os.strerror(number): number for number in ADVICE}
# Messages of libraries when a write was incomplete and the reason was lost.
_CUT_SHORT = re.compile(r"requested and \d+ written|failed writing|write failed|problem writing|encoder error -2")
ALMOST_FULL = 1 << 20  # bytes
BUS_ERROR = "Fatal Python error: Bus error"  # as faulthandler writes it


def storage_error(error: BaseException, stage: str, places: tuple[Path, ...]) -> PipelineError | None:
    """The error with advice, or None if no disk or file system caused it.

    Args:
        error: what was raised; its causes are examined too.
        stage: what was being computed.
        places: files or folders that were being written, for errors that name no file.
    """
    told = isinstance(error, PipelineError)  # it has its own advice, but a failing disk is not a damaged file
    number = number_among(error, OF_DISKS if told else frozenset(ADVICE))
    file = next(filter(None, map(_file, _chain(error))), None)
    if number is None and isinstance(error, OSError):
        number = error.errno
    if number is None and not told and any(_CUT_SHORT.search(str(one)) for one in _chain(error)):
        number = errno.ENOSPC if any(_free(place) < ALMOST_FULL for place in places) else errno.EIO
    if number is None:
        return None
    where = file or str(error.where if isinstance(error, PipelineError) else next(iter(places), stage))
    value = os.strerror(number)
    if number == errno.ENOSPC:
        value = f"{value}, {_free(Path(where)) / 1e6:.1f} MB left"
    elif number == errno.EDQUOT:
        value = f"{value}, that of {user_name(os.geteuid())} or of a group; {owner_of(Path(where))}"
    elif number in (errno.EACCES, errno.EPERM):
        value = f"{value} for {user_name(os.geteuid())}; {owner_of(Path(where))}"
    elif number == errno.EMFILE:
        value = f"{value}, the limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}"
    return PipelineError(
        f"storage error of {stage}", where, value, ADVICE.get(number, f"check the file and its folder, {_SAME}")
    )


def number_among(error: BaseException, wanted: frozenset[int]) -> int | None:
    """The first number of ``wanted`` that the error or one of its causes has; None if none has one."""
    return next((number for one in _chain(error) if (number := _number(one, wanted)) is not None), None)


def full_disk(log: Path) -> PipelineError | None:
    """The error of a job whose log is empty since its disk is full: every stage writes a line when it starts."""
    left = _free(log)
    if left >= ALMOST_FULL:
        return None
    value = f"{os.strerror(errno.ENOSPC)}, {left / 1e6:.1f} MB left"
    return PipelineError("log could not be written", log, value, ADVICE[errno.ENOSPC])


def bus_error(text: str, log: Path) -> PipelineError | None:
    """The error of a job that a bus error ended, as its log says: a file mapped into memory could not be read."""
    if BUS_ERROR not in text:
        return None
    value = "bus error: a file mapped into memory can't be read any more, or its disk is full"
    return PipelineError("storage error of a job", log, value, ADVICE[errno.EIO])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException, wanted: frozenset[int]) -> int | None:
    if isinstance(error, PipelineError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in wanted else None
    text = str(error)
    said = (int(match[1]) for match in _NUMBERS.finditer(text))
    named = (number for words, number in _TEXTS.items() if words.lower() in text.lower())
    return next((number for number in (*said, *named) if number in wanted), None)


def _file(error: BaseException) -> str | None:
    file = error.filename if isinstance(error, OSError) else None
    return os.fsdecode(file) if isinstance(file, str | bytes) else None


def _free(path: Path) -> int:
    """Bytes that this user may still write to the file system of ``path``."""
    for place in (path, *path.parents):
        with suppress(OSError):
            status = os.statvfs(place)
            return status.f_bavail * status.f_frsize
    return 0
