"""How well scores agree with ratings, against closed forms and exhaustive search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.labels.summary import (
    auc,
    best_margin,
    calibration_error,
    margin,
    probabilities,
    reliability,
)


def test_auc_is_the_share_of_ordered_pairs() -> None:
    scores, faithful = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    found = auc(scores, faithful, np.arange(4), resamples=200, seed=0)
    assert found["value"] == 0.75 and found["low"] <= 0.75 <= found["high"] and found["n"] == 4


def test_auc_is_undefined_for_a_single_class() -> None:
    assert auc(np.arange(3.0), np.ones(3, bool), np.arange(3), 100, 0) == {"n": 3}


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12).filter(
        lambda rows: any(row[2] for row in rows)
    )
)
def test_the_best_margin_minimises_errors(rows: list[tuple[int, bool, int]]) -> None:
    gain, better, weights = (np.array(column) for column in zip(*rows, strict=True))

    def errors(at: float) -> float:
        return float((((gain > at) != better) * weights).sum())

    assert errors(best_margin(gain.astype(float), better, weights)) == min(errors(at) for at in np.arange(-5.5, 6, 0.5))


def test_margin_of_a_shifted_judge() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    found = margin(truth + 1.0, truth > 0, resamples=200, seed=0)
    assert found["value"] == pytest.approx(1.0, abs=0.05)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["errors"] < 0.02 and found["errors_at_zero"] == pytest.approx(np.mean((truth > -1) & (truth <= 0)))
    assert margin(truth[:9], truth[:9] > 0, 200, 0) == {"n": 9}


def test_reliability_and_calibration_error() -> None:
    scores, chance = np.arange(4.0), np.array([0.25, 0.25, 1.0, 1.0])
    rows = reliability(scores, chance, np.array([True, False, True, True]), bins=2)
    assert [(row["low"], row["high"], row["expected"], row["faithful"], row["n"]) for row in rows] == [
        (0, 1, 0.25, 0.5, 2),
        (2, 3, 1.0, 1.0, 2),
    ]
    assert calibration_error(rows) == 0.125


def test_calibrated_probabilities_are_close_to_the_true_ones() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=3000)
    truth = 1 / (1 + np.exp(-(2 * scores - 0.5)))
    found = probabilities(scores, rng.random(3000) < truth, np.arange(3000))
    assert found is not None and np.abs(found - truth).mean() < 0.03
    assert probabilities(scores, np.ones(3000, bool), np.arange(3000)) is None
