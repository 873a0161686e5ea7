from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.evaluation.linear_probe.c_search import sweep

COARSE = (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6)


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.integers(1, 40))
def test_a_single_peak_is_found_to_the_grids_resolution(peak: float, points: int) -> None:
    asked: Counter[float] = Counter()

    def score(cost: float) -> float:
        asked[cost] += 1
        return -abs(np.log10(cost) - peak)

    best = sweep(score, COARSE, points)
    assert max(asked.values()) == 1
    assert min(COARSE) <= min(asked) * (1 + 1e-6) and max(asked) <= max(COARSE) * (1 + 1e-6)
    step = 4 / (points - 1) if points > 1 else 2
    assert abs(np.log10(best) - peak) <= min(step, 1.0) + 1e-9
    assert score(best) == max(score(cost) for cost in list(asked))


def test_ties_go_to_the_strongest_penalty() -> None:
    assert sweep(lambda cost: 0.5, COARSE, 29) == pytest.approx(1e-6)
    assert sweep(lambda cost: float(cost >= 1e-2), COARSE, 29) <= 1e-2


def test_few_fits() -> None:
    asked = []
    sweep(lambda cost: asked.append(cost) or 0.0, COARSE, 29)  # type: ignore[func-returns-value]
    assert len(asked) <= 7 + 12


def test_one_cost() -> None:
    assert sweep(lambda cost: 1.0, (3.0,), 29) == pytest.approx(3.0)
