"""A small version of ``tests/bench/coverage.py``: 400 studies of two cells, within their Monte Carlo error."""

import numpy as np
import pytest

from tests.bench.coverage import Cell, coverage, differences, effects, rejected, true_detectable, wrong_families

STUDIES = 400


@pytest.mark.parametrize("cell", [Cell(3, 0.02, 0.03), Cell(5, 0.005, 0.0)])
def test_joint_intervals_cover_and_effects_are_detected(cell: Cell) -> None:
    rng = np.random.default_rng(3)
    found = effects(differences(rng, cell, STUDIES, 0.0))
    held = coverage(found, 0.0)
    assert held.low is not None and held.high is not None and held.low < 0.99 and held.high > 0.92
    # 5 % of 400 are 20 families; 29 or more have a probability of 3 %.
    assert rejected(found)[:, 0].any(axis=-1).sum() < 29
    power = rejected(effects(differences(rng, cell, STUDIES, true_detectable(cell))))[:, 0, 0].mean()
    assert 0.72 < power < 0.88


def test_a_large_family_of_three_seeds_is_seldom_wrong() -> None:
    assert wrong_families(np.random.default_rng(4), Cell(3, 0.02, 0.0), 30, STUDIES) < 29 / STUDIES
