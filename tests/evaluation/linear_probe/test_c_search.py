from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.evaluation.linear_probe.c_search import Validation, sweep

COARSE = (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6)


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.integers(1, 40))
def test_a_single_peak_is_found_to_the_grids_resolution(peak: float, points: int) -> None:
    asked: Counter[float] = Counter()

    def score(cost: float) -> Validation:
        asked[cost] += 1
        return Validation(-abs(np.log10(cost) - peak), 0.0)

    best = sweep(score, COARSE, points)
    assert max(asked.values()) == 1
    assert min(COARSE) <= min(asked) * (1 + 1e-6) and max(asked) <= max(COARSE) * (1 + 1e-6)
    step = 4 / (points - 1) if points > 1 else 2
    assert abs(np.log10(best) - peak) <= min(step, 1.0) + 1e-9
    assert score(best) == max(score(cost) for cost in list(asked))


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.integers(1, 40))
def test_equal_accuracies_are_told_apart_by_log_loss(lowest: float, points: int) -> None:
    best = sweep(lambda cost: Validation(0.5, abs(np.log10(cost) - lowest)), COARSE, points)
    step = 4 / (points - 1) if points > 1 else 2
    assert abs(np.log10(best) - lowest) <= min(step, 1.0) + 1e-9


def test_log_loss_never_outweighs_accuracy() -> None:
    assert sweep(lambda cost: Validation(float(cost >= 1e2), cost), COARSE, 1) == pytest.approx(1e2)


def test_costs_that_are_equal_in_both_leave_the_strongest_penalty() -> None:
    assert sweep(lambda cost: Validation(0.5, 0.7), COARSE, 29) == pytest.approx(1e-6)


def test_few_fits() -> None:
    asked = []

    def score(cost: float) -> Validation:
        asked.append(cost)
        return Validation(0.0, 0.0)

    sweep(score, COARSE, 29)
    assert len(asked) <= 7 + 12


def test_one_cost() -> None:
    assert sweep(lambda cost: Validation(1.0, 0.0), (3.0,), 29) == pytest.approx(3.0)
