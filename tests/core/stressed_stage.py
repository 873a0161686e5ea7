"""A stage for the stress test: works in pieces, resumes, and notes when two processes do the same work at once."""

import errno
import fcntl
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from workflow_scripts.core import cache
from workflow_scripts.core import code_equivalence as accepted
from workflow_scripts.core.files import durable
from workflow_scripts.core.runtime import stage
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings

PIECES, PIECE_BYTES = 6, 20_000
_log, _locks = Path(), True  # set by main: a stage does not see all variables of the environment


class Stressed(Settings):
    """The one setting."""

    version: int = 0


def piece(number: int, which: int, version: int = 0) -> bytes:
    """Bytes that follow from unit, place and setting alone."""
    seed = hashlib.sha256(f"{number}.{which}.{version}".encode()).digest()
    return (seed * (PIECE_BYTES // len(seed) + 1))[:PIECE_BYTES]


def content(number: int, version: int = 0) -> bytes:
    """What the data file of a unit must hold."""
    return b"".join(piece(number, which, version) for which in range(PIECES))


def note(text: str) -> None:
    """Append a line to the test's log in one write."""
    with open(_log, "ab", buffering=0) as stream:
        stream.write(f"{text}\n".encode())


def stressed(job: Job[Stressed]) -> None:
    """Make the pieces that a killed run has not made, slowly, and join them."""
    number, version = int(job.unit["number"]), job.settings.version
    with open(job.work / "busy", "ab") as busy:
        if _locks:
            try:
                fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note(f"collision {number}")
        for which in range(PIECES):
            path = job.work / f"piece{which}"
            if not path.exists():
                temporary = path.with_name(f"{path.name}.{os.getpid()}")
                temporary.write_bytes(piece(number, which, version))
                temporary.rename(path)
            time.sleep(0.01)
        data = b"".join((job.work / f"piece{which}").read_bytes() for which in range(PIECES))
        for start in range(0, len(data), 40_000):
            with open(job.file(".bin"), "ab") as stream:
                stream.write(data[start : start + 40_000])
            time.sleep(0.01)
        job.file("/deep/hash.txt").write_text(hashlib.sha256(data).hexdigest())
        job.beside(".times.txt").write_text(str(time.time()))
    note(f"computed {number}")


def no_locks(*_: object) -> None:
    """What flock does on a file system without locks."""
    raise OSError(errno.ENOLCK, "No locks available")


def main(artifact: Path, number: int, log: Path, locks: bool, version: int = 0, code: str = "today") -> None:
    """Run the stage for one unit; to be called in a process of its own, which it changes.

    Args:
        artifact: ``results/<study>/stressed/<number>``.
        number: the unit.
        log: the test's log; what the stage prints goes beside it.
        locks: whether the file system has locks.
        version: the setting.
        code: digest of the stage's code.
    """
    global _log, _locks
    _log, _locks = log, locks
    sys.stderr = log.with_name("printed.txt").open("a")
    durable._synced.clear()
    accepted.code_digest = lambda *_: code  # type: ignore[assignment]
    stage.code_parts = lambda *_: {}  # type: ignore[assignment]
    if not locks:
        cache.fcntl.flock = no_locks  # type: ignore[assignment]
    words = ["--artifact", str(artifact), "--unit", f"number={number}", "--device", "cpu"]
    words += ["--settings", json.dumps({"version": version})]
    run_stage(Stage(run=stressed, settings=Stressed, artifact="{number}"), words)
