import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from workflow_scripts.evaluation.discrimination.agreement import partial_r2, recovered, spearman


def test_orderings_with_a_tie() -> None:
    assert recovered(np.array([0.0, 1.0, 1.0, 0.5]), [(0, 1), (1, 2), (2, 3), (0, 3)]) == pytest.approx(2.5 / 4)
    assert np.isnan(recovered(np.array([1.0]), []))


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, 12).astype(float), rng.random(12)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert np.isnan(spearman(np.ones(5), second[:5])) and np.isnan(spearman(first[:2], second[:2]))


def test_partial_r2_is_that_of_residuals() -> None:
    rng = np.random.default_rng(1)
    known, added = rng.normal(size=(2, 20))
    outcome = known + 0.7 * added + rng.normal(size=20)

    def rest(values: np.ndarray) -> np.ndarray:
        return np.asarray(values - LinearRegression().fit(known[:, None], values).predict(known[:, None]))

    gain = partial_r2(outcome, known, added)
    r = stats.pearsonr(rest(outcome), rest(added)).statistic
    assert gain.share == pytest.approx(r**2)
    both = LinearRegression().fit(np.column_stack([known, added]), outcome)
    assert gain.slope == pytest.approx(both.coef_[1])
    assert partial_r2(outcome, known, -added) == pytest.approx((gain.share, -gain.slope, gain.p))
    assert gain.p == pytest.approx(2 * stats.t.sf(abs(r) * np.sqrt(17 / (1 - r**2)), 17))


def test_nothing_is_said_where_nothing_can_be_known() -> None:
    x = np.arange(5.0)
    assert np.isnan(partial_r2(x[:3], x[:3] ** 2, x[:3]).share)
    assert np.isnan(partial_r2(x, x**2, np.ones(5)).share)
    assert np.isnan(partial_r2(2 * x + 1, x, x**2).share)  # the known one explains all
    for at in range(3):
        given = [x, x**2, np.array([2.0, 0, 5, 1, 3])]
        given[at] = np.where(x == 2, np.nan, given[at])
        assert np.isnan(partial_r2(*given).p)
