"""Processes of other users, and a results folder that they share."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from tests.core import stressed_stage
from workflow_scripts.core.runtime.machine import machine

GROUP, ALICE, BOB = 64_100, 64_101, 64_102


@contextmanager
def shared_results() -> Iterator[Path]:
    """A results folder that its group shares, which other users can reach."""
    # Imports what other users may not be able to read; the packages that a process of tests has loaded are hundreds.
    here = {**machine((), "cpu"), "packages": {}}
    with (
        mock.patch("workflow_scripts.core.runtime.stage.machine", lambda *_: here),
        tempfile.TemporaryDirectory() as name,  # pytest's own folders are closed to other users
    ):
        Path(name).chmod(0o777)
        folder = Path(name, "results")
        folder.mkdir()
        os.chown(folder, -1, GROUP)
        folder.chmod(0o2775)
        yield folder


def become(user: int) -> None:
    """Be a user with a group of their own, in the shared group, and with the usual umask."""
    os.setgroups([GROUP])
    os.setgid(user)
    os.setuid(user)
    os.umask(0o022)


def as_user(user: int, work: Callable[[], object]) -> int:
    """Exit status of ``work`` as :func:`become` says."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 70
    try:
        become(user)
        work()
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        os._exit(status)


def compute(results: Path, user: int, number: int, study: str = "study", pieces: int | None = None) -> int:
    """The stress test's stage as a user; it dies after so many pieces."""

    def work() -> None:
        if pieces is not None:
            die_at = iter(range(pieces))

            def sleep(_: float) -> None:
                if next(die_at, None) is None:
                    os._exit(9)

            # The stage's own: `subprocess`, which asks git for the commit, sleeps as well.
            stressed_stage.time = SimpleNamespace(sleep=sleep, time=time.time)  # type: ignore[assignment]
        artifact = results / study / "stressed" / str(number)
        own = results.parent / str(user)
        own.mkdir(exist_ok=True)
        stressed_stage.main(artifact, number, own / "log", locks=True)

    return as_user(user, work)


def notes(results: Path, user: int) -> list[str]:
    """What the user's stages noted."""
    path = results.parent / str(user) / "log"
    return path.read_text().splitlines() if path.exists() else []
