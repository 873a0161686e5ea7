"""A job whose read fails as those of file servers do starts again; in the end it says what failed."""

import errno
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.patience import PASSING, SECONDS
from workflow_scripts.core.runtime import failures

JOB = """
import os
from pathlib import Path
from workflow_scripts.core import code_equivalence
from workflow_scripts.core.runtime import failures, stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.runtime.stage import Stage, run_stage

code_equivalence.code_digest = lambda *_: "today"
stage.code_parts = lambda *_: {}
failures.SECONDS = [wait / 1000 for wait in failures.SECONDS]

class Flaky(Settings):
    number: int
    times: int

def flaky(job):
    starts = Path("starts")
    with starts.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    if len(starts.read_text().splitlines()) <= job.settings.times:
        raise OSError(job.settings.number, os.strerror(job.settings.number), "data/vectors.npy")
    job.file(".txt").write_text("done")

run_stage(Stage(run=flaky, settings=Flaky, artifact="flaky"))
"""


def _run(folder: Path, number: int, times: int, tries: int = 0) -> "subprocess.CompletedProcess[str]":
    (folder / "job.py").write_text(JOB)
    settings = f'{{"number": {number}, "times": {times}}}'
    words = ["--artifact", "results/s/flaky/flaky", "--settings", settings, "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{folder}", failures.TRIES: str(tries)}
    command = [sys.executable, "-m", "job", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_job_starts_again_as_the_same_process(tmp_path: Path) -> None:
    done = _run(tmp_path, errno.ESTALE, 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"{os.strerror(errno.ESTALE)} (") == done.stderr.count("starting again in") == 1
    first, second = (tmp_path / "starts").read_text().split()
    assert first == second
    assert (tmp_path / "results/s/flaky/flaky.txt").read_text() == "done"


def test_a_persistent_error_is_reported_after_the_last_attempt(tmp_path: Path) -> None:
    done = _run(tmp_path, errno.EIO, 99, tries=len(SECONDS) - 1)
    assert done.returncode == 1
    assert done.stderr.count("starting again in") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: storage error of flaky in data/vectors.npy: {os.strerror(errno.EIO)};")
    assert "Traceback" not in done.stderr


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments of the processes that would be started."""
    found: list[dict[str, str]] = []
    monkeypatch.setattr(failures.time, "sleep", lambda _: None)
    monkeypatch.setattr(failures.os, "execve", lambda _, __, environment: found.append(environment))
    for name in (failures.TRIES, failures.LAST):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("job", None))  # None in xdist's processes
    return found


@pytest.mark.parametrize("number", sorted(PASSING))
def test_an_error_caused_by_a_transient_read_error_restarts_the_job(calls: list[dict[str, str]], number: int) -> None:
    try:
        try:
            raise OSError(number, os.strerror(number))
        except OSError:
            raise PipelineError("corrupt image", "a.tar", "row 3", "recompute it") from None
    except PipelineError as error:
        failures.start_again(error)
    assert [one[failures.TRIES] for one in calls] == ["1"]


def test_a_recurring_error_after_long_work_counts_as_an_attempt(
    calls: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_started", failures.time.monotonic() - failures.LONG)
    bad = OSError(errno.EIO, os.strerror(errno.EIO), "a.npy")
    for tries in range(1, 9):
        failures.start_again(bad)
        if len(calls) < tries:
            break
        for name in (failures.TRIES, failures.LAST):
            monkeypatch.setenv(name, calls[-1][name])
    assert len(calls) == len(SECONDS)
    failures.start_again(OSError(errno.EIO, os.strerror(errno.EIO), "b.npy"))
    assert calls[-1][failures.TRIES] == "1"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("bad"), PipelineError("a", "b", "c", "d")])
def test_other_errors_end_the_job(calls: list[dict[str, str]], error: Exception) -> None:
    failures.start_again(error)
    assert calls == []


def test_a_long_run_resets_the_count_of_attempts(calls: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failures.TRIES, str(len(SECONDS)))
    error = OSError(errno.EIO, "bad")
    failures.start_again(error)
    assert calls == []
    monkeypatch.setattr(failures, "_started", failures.time.monotonic() - failures.LONG)
    failures.start_again(error)
    assert [one[failures.TRIES] for one in calls] == ["1"]
