import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_scripts.pretraining.training import processes
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.processes import start, wait

LATE = """
import signal, sys, time
time.sleep(float(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGUSR1])
time.sleep(60)
"""


def shell(*scripts: str) -> list[subprocess.Popen[bytes]]:
    """Children that run shell scripts and, as ours do, take signals that were held back while they started."""
    take = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execvp('sh', sys.argv[1:])"
    return start([([sys.executable, "-c", take, "sh", "-c", script], os.environ) for script in scripts])


def test_waiting_for_successful_processes_returns_zero() -> None:
    assert wait(shell("exit 0", "sleep 0.2"), Interrupt()) == (0, 0)


def test_a_failing_process_ends_the_others_and_is_reported() -> None:
    before = time.monotonic()
    children = shell("sleep 60", "exit 3", "sleep 60")
    assert wait(children, Interrupt()) == (1, 3)
    assert [child.returncode for child in children] == [-signal.SIGTERM, 3, -signal.SIGTERM]
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("others", "cause"),
    [
        # Its peers raise since it is gone, and may well be seen to end before it.
        (["exit 1", "sleep 0.5; kill -9 $$"], (1, -signal.SIGKILL)),
        (["kill -6 $$", "sleep 0.5; kill -9 $$"], (1, -signal.SIGKILL)),
        # NCCL's watchdog aborts where a peer has raised.
        (["exit 3", "sleep 0.5; kill -6 $$"], (0, 3)),
        (["kill -6 $$", "sleep 0.5; exit 3"], (1, 3)),
    ],
)
def test_the_process_that_caused_the_others_to_fail_is_reported(
    others: list[str], cause: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SECONDS_TO_SHOW", 60)
    assert wait(shell(*others), Interrupt()) == cause


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "SECONDS_TO_END", 0.2)
    deaf = tmp_path / "deaf"
    children = shell(
        f"trap '' TERM; touch {deaf}; while :; do sleep 0.1; done",
        f"until [ -e {deaf} ]; do sleep 0.05; done; kill -9 $$",
    )
    assert wait(children, Interrupt()) == (1, -signal.SIGKILL)
    assert children[0].returncode == -signal.SIGKILL


def test_a_process_stopped_on_request_lets_the_others_finish(tmp_path: Path) -> None:
    written, pipe = tmp_path / "checkpoint", tmp_path / "pipe"
    os.mkfifo(pipe)  # its reader goes on when its writer has ended
    children = shell(f"exec 9>{pipe}; exit 143", f"cat {pipe}; sleep 0.2; echo whole >{written}; exit 143")
    assert wait(children, Interrupt()) == (0, 143)
    assert written.read_text() == "whole\n"
    # A failure counts more, whichever came first.
    assert wait(shell("exit 143", "sleep 0.3; exit 1"), Interrupt()) == (1, 1)


def test_an_interrupt_is_passed_on_even_to_a_child_that_is_not_ready(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with Interrupt() as interrupt:
        children = start([([sys.executable, "-c", LATE, "0.5"], os.environ)])
        os.kill(os.getpid(), signal.SIGUSR1)
        assert wait(children, interrupt) == (0, 143)
        again = shell(f"trap 'exit 143' USR1; touch {ready}; while :; do sleep 0.05; done")
        while not ready.exists():
            time.sleep(0.02)
        assert wait(again, interrupt, stop=signal.SIGUSR1) == (0, 143)


def test_standard_input_ends_with_the_parent() -> None:
    script = (
        "from workflow_scripts.pretraining.training.processes import start; import os, sys, time;"
        "one = start([(['sh', '-c', 'cat; echo over'], os.environ)]); print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    assert parent.stdout.readline() == "over\n"
    parent.wait()
