"""The Wilson interval against scipy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from workflow_scripts.stats.wilson import wilson


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_equals_scipy(case: tuple[int, int], level: float) -> None:
    hits, count = case
    expected = binomtest(hits, count).proportion_ci(level, method="wilson")
    low, high = wilson(hits / count, count, level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= hits / count <= high <= 1
