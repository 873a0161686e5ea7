"""What every kind of fuzzing target offers."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

Files = Mapping[str, bytes]


class Target:
    """Makes inputs of one kind, and feeds them to the code that reads such inputs.

    Attributes:
        kinds: outcomes that a few hundred inputs must all reach, so that a target which tests nothing is noticed.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"accepted", "refused"})

    def make(self, rng: random.Random) -> Files:
        """The files of one input, by name below a folder; all chance comes from ``rng``."""
        raise NotImplementedError

    def run(self, folder: Path) -> str:
        """Read the input that lies in ``folder``; gives the outcome in a word.

        A PipelineError means "refused". Any other exception is a fault.
        """
        raise NotImplementedError
