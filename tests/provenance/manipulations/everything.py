"""All of them, with draws of chance."""

import random
from pathlib import Path

from tests.provenance.functions import functions_of
from tests.provenance.manipulations import contents, json_values, names, shared, strays
from tests.provenance.manipulations.tools import Changed, Way

WAYS: list[Way] = functions_of(contents, names, strays, json_values, shared)


def carry_out(way: Way, seed: int, study: Path) -> Changed:
    """One way with one draw of chance."""
    return way(study, random.Random(f"{way.__name__} {seed}"))
