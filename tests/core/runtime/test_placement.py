"""Jobs take distinct GPUs; a stub stands for the driver's tool, and no GPU is needed."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import pytest

from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.runtime import placement
from workflow_scripts.core.runtime.placement import AS_LISTED, ORDER, VISIBLE, candidates, gpus_taken, listed, offered

NOBODY = 65_534
# Takes as many GPUs as argument 1 says, as user 2, prints them, and holds them until its input ends.
HOLD = """
import os, sys
from workflow_scripts.core.runtime.placement import VISIBLE, gpus_taken
os.setuid(int(sys.argv[2]))
with gpus_taken(int(sys.argv[1])) as mine:
    assert os.environ[VISIBLE] == ",".join(mine)
    print(os.environ[VISIBLE], flush=True)
    sys.stdin.read()
"""
MIG = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-a)
  MIG 3g.20gb     Device  0: (UUID: MIG-a1)
  MIG 3g.20gb     Device  1: (UUID: MIG-a2)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-b)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-c)
  MIG 7g.40gb     Device  0: (UUID: MIG-c1)
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stub of ``nvidia-smi`` that lists eight GPUs, with names that no other test run uses."""
    tool = tmp_path / "nvidia-smi"
    lines = [f"GPU {i}: NVIDIA H100 80GB HBM3 (UUID: GPU-{os.getpid()}-{i})" for i in range(8)]
    _says(tool, "\n".join(lines))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in (VISIBLE, ORDER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(placement, "SECONDS_BETWEEN_TRIES", 0.01)
    return tool


def _says(tool: Path, text: str) -> None:
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    tool.chmod(0o755)


def _names(*numbers: int) -> list[str]:
    return [f"GPU-{os.getpid()}-{number}" for number in numbers]


def _hold(stack: ExitStack, wanted: int, user: int | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(wanted), str(os.getuid() if user is None else user)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _held(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "no GPU"
    return process.stdout.readline().strip().split(",")


def test_eight_jobs_take_eight_gpus_and_a_killed_job_frees_its_gpu(driver: Path) -> None:
    with ExitStack() as stack:
        jobs = [_hold(stack, 1) for _ in range(8)]
        taken = [_held(job) for job in jobs]
        assert sorted(chain.from_iterable(taken)) == _names(*range(8))
        ninth = _hold(stack, 1)
        jobs[3].send_signal(signal.SIGKILL)
        assert _held(ninth) == taken[3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_two_users_do_not_collide(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # pytest's folders are closed to other users
        folder.chmod(0o755)
        shutil.copy(driver, folder)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        others = _held(_hold(stack, 1, user=NOBODY))
        with gpus_taken(1) as mine:
            assert others + mine == _names(0, 1)


def test_a_job_that_wants_several_is_not_overtaken(driver: Path) -> None:
    with ExitStack() as stack:
        one, other = _hold(stack, 1), _hold(stack, 1)
        assert sorted(_held(one) + (rest := _held(other))) == _names(0, 1)
        several = _hold(stack, 7)
        while not all(map(_locked, ["", *_names(*range(2, 8))])):  # six GPUs, and its turn
            assert several.poll() is None
            time.sleep(0.05)  # each look takes the names for a moment
        later = _hold(stack, 1)
        one.kill()
        assert set(_held(several)) == set(_names(*range(8))) - set(rest)
        other.kill()
        assert _held(later) == rest


def _locked(name: str) -> bool:
    with ExitStack() as held:
        return not placement._lock(name, held)


def test_a_job_logs_what_it_waits_for(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(placement, "SECONDS_UNTIL_A_LINE", 0.0)
    monkeypatch.setenv(VISIBLE, "5")
    with ExitStack() as stack:
        first = _hold(stack, 1)
        assert _held(first) == _names(5)

        def info(message: str) -> None:
            said.append(message)
            first.kill()

        monkeypatch.setattr(placement.log, "info", info)
        with gpus_taken(1) as mine:
            assert mine == _names(5)
    assert [message.split(":")[0] for message in said] == ["waiting for a GPU"]


def test_the_environment_is_restored_after_use_of_gpus(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gpus_taken(2) as mine:
        assert os.environ[VISIBLE] == ",".join(mine) == ",".join(_names(0, 1))
        assert offered() == 8
        assert os.environ[ORDER] == AS_LISTED
    assert VISIBLE not in os.environ
    assert ORDER not in os.environ
    assert offered() is None
    monkeypatch.setenv(VISIBLE, "3,4")
    with pytest.raises(KeyError), gpus_taken(1) as mine:
        assert mine == _names(3)
        raise KeyError
    assert os.environ[VISIBLE] == "3,4"
    with gpus_taken(1) as mine:
        assert mine == _names(3)


@pytest.mark.parametrize("wanted", [0, 9])
def test_no_gpus_are_taken_if_none_or_too_many_are_requested(driver: Path, wanted: int) -> None:
    with gpus_taken(wanted) as mine:
        assert mine == []
        assert VISIBLE not in os.environ
        assert offered() is None


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["MIG-a1", "MIG-a2", "GPU-b", "MIG-c1"]),
        ("1", ["GPU-b"]),
        ("2", ["MIG-c1"]),
        ("1,0", ["GPU-b", "MIG-a1", "MIG-a2"]),
        ("MIG-a2", ["MIG-a2"]),
        (" GPU-b , 1", ["GPU-b"]),
        ("GPU-b,MIG-a", ["GPU-b"]),
        ("1,7,0", ["GPU-b"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_candidate_gpus_follow_the_visible_devices(
    driver: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: list[str]
) -> None:
    _says(driver, MIG)
    if visible is not None:
        monkeypatch.setenv(VISIBLE, visible)
    assert candidates() == expected


def test_without_the_drivers_tool_nothing_is_taken(driver: Path) -> None:
    driver.write_text("#!/bin/sh\nexit 9\n")
    assert listed() == []
    with gpus_taken(1) as mine:
        assert mine == []
