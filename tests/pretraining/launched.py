"""A run that a process of its own launches: a fork of this one, which has imported what a new interpreter would."""

import logging
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.pretraining.shapes import plan
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.launch import launch

FORK = multiprocessing.get_context("fork")
SECONDS = 600  # after which a run counts as stuck


class Launched:
    """A run over small images, launched as the stage does.

    Attributes:
        work: the run's work folder, ``folder/work``.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None, **changed: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.work = folder / "work"
        self._said = folder / f"said-{time.monotonic_ns()}.txt"
        self._process = FORK.Process(target=_launch, args=(folder, self._said, environment or {}, changed))
        self._process.start()

    def wait_for(self, name: str) -> None:
        """Wait until a file of the work folder is there."""
        end = time.monotonic() + SECONDS
        while not (self.work / name).exists():
            assert self._process.is_alive(), self._said.read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process that launched the run."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self) -> tuple[int, str]:
        """Its exit status, and what it and the processes of the run wrote to standard error."""
        self._process.join(SECONDS)
        assert self._process.exitcode is not None
        return self._process.exitcode, self._said.read_text()


def _launch(folder: Path, said: Path, environment: dict[str, str], changed: dict[str, Any]) -> None:
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True)
    os.environ |= environment
    with Interrupt() as interrupt:
        launch(plan(folder, **changed), interrupt)
