"""Input files of this process: verified before they are used, and checked again before their result is kept.

A file's sha256 is computed once per process. Its stamp (inode, size and times) then shows whether it changed. No write
escapes the stamp: the system sets the change time (ctime), and restoring the other times updates it. A new hard link
changes the ctime too, so a file of which only that is new is hashed again.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError

# File systems store times in steps of up to two seconds: a file that changed that shortly before it was hashed could
# change once more without a new time. Its stamp is therefore not trusted.
MARGIN = 2_000_000_000  # ns


class Stamp(NamedTuple):
    """Size in bytes, time of the last write in ns, inode, and time of the last change of any kind in ns."""

    size: int
    mtime: int
    inode: int
    ctime: int

    def settled(self, now: int) -> bool:
        """Whether the last change is old enough at ``now`` (ns since 1970) for another write to change the stamp."""
        return max(self.mtime, self.ctime) < now - MARGIN


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp from the result of ``stat``."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


@dataclass(frozen=True)
class _Verified:
    sha256: str
    advice: str
    stamp: Stamp
    reliable: bool  # the same stamp means the same bytes


_verified: dict[Path, _Verified] = {}
_checks: list[Callable[[], None]] = []


def clear_inputs() -> None:
    """Forget all inputs; every stage starts without any."""
    _verified.clear()
    _checks.clear()


def verify(path: Path, sha256: str, advice: str) -> None:
    """Check that a file has the recorded ``sha256`` (hex), and watch it until :func:`settle`.

    Raises:
        PipelineError: it has another hash, is not a regular file, or changed since this process verified it; ``advice``
            says what to do.
    """
    known = _verified.get(path)
    if known is None or known.sha256 != sha256:
        _verified[path] = _hashed(path, sha256, advice)
    else:
        _check(path, known)


def watch(check: Callable[[], None]) -> None:
    """Have :func:`check_unchanged` call ``check``, which raises if its source changed."""
    _checks.append(check)


def check_unchanged() -> None:
    """Check that no input changed since it was verified; must be called before anything made from the inputs is kept.

    Raises:
        PipelineError: one changed, or is missing.
    """
    for path, known in list(_verified.items()):
        _check(path, known)
    for check in _checks:
        check()


def settle() -> None:
    """:func:`check_unchanged`, after which the inputs may change, since everything needed is in memory.

    Raises:
        PipelineError: one changed, or is missing.
    """
    check_unchanged()
    clear_inputs()


@contextmanager
def read_apart() -> Iterator[None]:
    """A block that reads everything it needs of its inputs into memory: they are checked when it ends.

    Inputs from outside the block are not checked by it, and those of the block not after it.

    Raises:
        PipelineError: an input of the block changed, or is missing.
    """
    verified, checks = dict(_verified), list(_checks)
    clear_inputs()
    try:
        yield
        check_unchanged()
    finally:
        clear_inputs()
        _verified.update(verified)
        _checks.extend(checks)


@contextmanager
def forgotten_later() -> Iterator[None]:
    """A block after which the files that were first verified in it may change; checks of sources remain."""
    before = set(_verified)
    try:
        yield
    finally:
        for path in _verified.keys() - before:
            del _verified[path]


def _hashed(path: Path, sha256: str, advice: str) -> _Verified:
    started, before = time.time_ns(), _stamp(path, advice)
    found = file_hash(path)
    if found != sha256:
        raise PipelineError("damaged input", path, f"sha256 is {found} instead of the recorded {sha256}", advice)
    return _Verified(sha256, advice, before, before.settled(started) and _stamp(path, advice) == before)


def _check(path: Path, known: _Verified) -> None:
    stamp = _stamp(path, known.advice)
    if stamp == known.stamp and known.reliable:
        return
    if (stamp.size, stamp.mtime) != (known.stamp.size, known.stamp.mtime):
        advice = "run the same command again"
        raise PipelineError("input changed during use", path, "it was written again after it was verified", advice)
    _verified[path] = _hashed(path, known.sha256, known.advice)


def _stamp(path: Path, advice: str) -> Stamp:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise PipelineError("missing input", path, "it was removed during use", advice) from None
    if not stat.S_ISREG(status.st_mode):
        raise PipelineError("input is not a regular file", path, stat.filemode(status.st_mode), advice)
    return stamp_of(status)
