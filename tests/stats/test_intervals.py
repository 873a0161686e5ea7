import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from workflow_scripts.stats import intervals


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.data(), st.floats(0.5, 0.999))
def test_the_wilson_interval_equals_scipy(n: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, n))
    ours = intervals.wilson(successes / n, n, level)
    theirs = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert ours.value == successes / n
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


@pytest.mark.parametrize(("share", "n"), [(0, 0), (-1 / 3, 3), (4 / 3, 3), (0.5, -1), (float("nan"), 3)])
def test_wilson_refuses_impossible_shares(share: float, n: int) -> None:
    with pytest.raises(ValueError, match="are required"):
        intervals.wilson(share, n)


def test_student_t_equals_scipy_and_needs_enough_values() -> None:
    values = np.array([0.2, 0.5, 0.1, 0.9])
    ours = intervals.student_t(values, 0.9)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert intervals.student_t(values[:2], fewest=3) == (pytest.approx(0.35), None, None)
    assert intervals.student_t(values[:1]) == (pytest.approx(0.2), None, None)


def test_resampling_weights_draw_n_with_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS", 40)  # several blocks
    weights = np.concatenate(list(intervals.resampling_weights(7, 3000, 1)))
    assert weights.shape == (3000, 7)
    assert (weights.sum(axis=1) == 7).all()
    # Multinomial moments: mean 1, variance 1 - 1/7.
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.06)
    assert weights.var(axis=0) == pytest.approx(np.full(7, 6 / 7), abs=0.1)


def test_bootstrap_means_are_weighted_means_and_columns_share_resamples() -> None:
    values = np.random.default_rng(0).normal(size=(9, 3))
    weights = np.concatenate(list(intervals.resampling_weights(9, 50, 4)))
    slow = np.array(
        [[sum(w * v for w, v in zip(row, column, strict=True)) / 9 for column in values.T] for row in weights]
    )
    assert intervals.bootstrap_means(values, 50, 4) == pytest.approx(slow, abs=1e-6)


def test_the_bootstrap_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(3).exponential(size=80)
    ours = intervals.bootstrap(values, 4000, 0)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert intervals.bootstrap(values[:1], 100, 0)[1:] == (None, None)
    assert intervals.bootstrap(np.array([1.0, 3.0]), 100, 0) == (2.0, 1.0, 3.0)


def test_class_means_bootstrap_is_the_loop_over_resampled_items() -> None:
    rng = np.random.default_rng(5)
    labels = np.array([0, 0, 0, 2, 2, 7, 7, 7, 7])
    values = rng.integers(0, 2, (9, 2)).astype(float)
    slow = []
    for weights in np.concatenate(list(intervals.resampling_weights(9, 60, 8))):
        items = np.repeat(np.arange(9), weights.astype(int))
        drawn = labels[items]
        slow.append(np.mean([values[items][drawn == one].mean(axis=0) for one in set(drawn.tolist())], axis=0))
    assert intervals.bootstrap_class_means(values, labels, 60, 8) == pytest.approx(np.array(slow), abs=1e-6)
    assert intervals.class_means(values, labels) == pytest.approx(
        (values[:3].mean(axis=0) + values[3:5].mean(axis=0) + values[5:].mean(axis=0)) / 3
    )


def test_a_mean_figure_is_over_the_known_values_of_all_draws_together() -> None:
    known = intervals.student_t(np.array([1.0, 3.0]))
    halves = [[1.0, 5.0, 3.0]] * 2
    assert intervals.mean_figure(np.array([[1.0, np.nan, 3.0], *halves])) == {**known._asdict(), "n": 2}
