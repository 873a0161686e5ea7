"""All of them, with draws of chance."""

import random
from dataclasses import dataclass
from pathlib import Path

from tests.provenance.functions import functions_of
from tests.provenance.manipulations import contents, json_values, names, shared, strays
from tests.provenance.manipulations.tools import Changed, Way

WAYS: list[Way] = functions_of(contents, names, strays, json_values, shared)


@dataclass(frozen=True)
class Manipulation:
    """One way with one draw of chance."""

    way: Way
    seed: int

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.way.__name__}-{self.seed}"

    def __call__(self, study: Path) -> Changed:
        """Carry it out."""
        return self.way(study, random.Random(f"{self.way.__name__} {self.seed}"))


def manipulations(seed: int, at_least: int) -> list[Manipulation]:
    """At least so many, each way equally often."""
    return [Manipulation(one, seed + number) for number in range(-(-at_least // len(WAYS))) for one in WAYS]
