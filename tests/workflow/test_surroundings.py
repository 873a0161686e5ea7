import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, Checkout
from tests.workflow.surroundings import FACTORS, build, covering, missing, rows_of


@pytest.mark.parametrize("seed", range(3))
def test_any_two_levels_of_any_two_factors_meet(seed: int) -> None:
    sizes = [3, 2, 4, 2, 3]
    rows = covering(sizes, seed)
    assert rows[0] == (0, 0, 0, 0, 0) and len(rows) < 40
    for a, b in itertools.combinations(range(len(sizes)), 2):
        assert {(row[a], row[b]) for row in rows} == set(itertools.product(range(sizes[a]), range(sizes[b])))


def test_fixed_factors_keep_their_first_level() -> None:
    rows = rows_of(0, {"entries": "no disorderfs"})
    assert {row["entries"] for row in rows} == {"as they come"}
    assert {row["zone"] for row in rows} == set(FACTORS["zone"])


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="other users need root")
def test_other_surroundings_give_the_same_bytes(finished_nano: Checkout, open_folder: Path) -> None:
    """One build; ``python -m tests.workflow.surroundings`` has the whole design."""
    locales = open_folder / "locales"
    locales.mkdir()
    surroundings = rows_of(0, missing(locales))[1]
    assert build(surroundings, open_folder, locales) == finished_nano.hashes()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_memory_that_runs_out_changes_no_byte(finished_nano: Checkout) -> None:
    study = finished_nano.folder / "results/nano"
    words = [sys.executable, "-m", "tests.replay.allocations", str(study), "--sample", "4"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
