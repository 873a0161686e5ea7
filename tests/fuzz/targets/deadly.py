"""A target that kills its process, to test the fuzzer itself; it has no share of the inputs."""

import os
import random
import signal
from pathlib import Path

from tests.fuzz.target import Files, Target


class Fuzzed(Target):
    """Inputs of even number beyond 0 kill."""

    def make(self, rng: random.Random) -> Files:
        """No files."""
        return {}

    def run(self, folder: Path) -> str:
        """The number of the input is where the worker notes it."""
        number = int((folder.parent / "at").read_text())
        if number and number % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return "accepted"
