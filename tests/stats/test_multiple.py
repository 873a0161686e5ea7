"""Holm's adjustment and the detectable effect against closed forms and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from workflow_scripts.stats.multiple import detectable, holm


def test_holm_by_hand() -> None:
    # 4 * .005; 3 * .01; 2 * .03; 1 * .04, but not below its predecessor.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, 0.7])) == pytest.approx([0.8, 0.8])
    assert holm(np.array([0.9, 0.9])) == pytest.approx([1, 1])
    assert holm(np.array([0.02])) == pytest.approx([0.02])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.2))
def test_holm_rejects_as_the_step_down_procedure(p: list[float], alpha: float) -> None:
    rejected = set()
    for step, at in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        if p[at] * (len(p) - step) > alpha:
            break
        rejected.add(at)
    assert set(np.flatnonzero(holm(np.array(p)) <= alpha)) == rejected


def test_holm_is_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random((3, 9)) ** 3
    for family, ours in zip(p, holm(p), strict=True):
        assert ours == pytest.approx(multitest.multipletests(family, method="holm")[1])


def test_many_degrees_of_freedom_are_the_normal_closed_form() -> None:
    for family in (1, 12):
        expected = stats.norm.ppf(1 - 0.025 / family) + stats.norm.ppf(0.8)
        assert detectable(np.array(1.0), np.array(1e7), family) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("freedom", [2.0, 3.7, 9.0])
def test_the_power_at_the_detectable_effect_is_80_percent(freedom: float) -> None:
    effect = float(detectable(np.array(0.5), np.array(freedom), 3, 0.1))
    critical = stats.t.ppf(1 - 0.1 / 6, freedom)
    assert stats.nct.sf(critical, freedom, effect / 0.5) == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize(("freedom", "family"), [(0.2, 3), (0.4, 30), (1.0, 100_000)])
def test_critical_values_beyond_reason_detect_nothing(freedom: float, family: int) -> None:
    """scipy does not return for them."""
    found = detectable(np.array([0.5, 0.0]), np.array([freedom, freedom]), family)
    assert np.isinf(found).all()
