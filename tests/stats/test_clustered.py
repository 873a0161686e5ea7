"""Figures with clustered intervals, against other implementations, closed forms and repeated draws."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from workflow_scripts.stats import clustered
from workflow_scripts.stats.clustered import (
    by_draws,
    cohen_kappa,
    kendall_b,
    kendall_c,
    linearised_ratio,
    ordinal_alpha,
    share,
    spearman,
)
from workflow_scripts.stats.intervals import Interval, monte_carlo_error, wilson

Figure = Callable[..., Interval | None]
SMALL = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=30)
# The example of Krippendorff (2011), section C: four observers, twelve units, values 1 to 5, some missing.
UNITS = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


@given(SMALL)
def test_spearman_equals_scipy(rows: list[tuple[int, int]]) -> None:
    first, second = np.array(rows, float).T
    found = spearman(first, second, np.arange(len(rows)))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found is not None and found.value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)


def test_sums_over_larger_values_count_equal_ones_half() -> None:
    values, weights = np.array([2.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.4, 0.8])
    _, above = clustered._centred_ranks(values)
    sums = [weights[values > value].sum() + weights[values == value].sum() / 2 for value in values]
    assert above(weights) == pytest.approx(np.array(sums) / 4)


@pytest.mark.parametrize(("figure", "variant"), [(kendall_b, "b"), (kendall_c, "c")])
@given(rows=SMALL)
def test_kendall_equals_scipy(figure: Figure, variant: str, rows: list[tuple[int, int]]) -> None:
    first, second = np.array(rows, float).T
    found = figure(first, second, np.arange(len(rows)))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        expected = stats.kendalltau(first, second, variant=variant).statistic
        assert found is not None and found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("figure", [kendall_b, kendall_c])
def test_the_interval_of_kendall_is_as_wide_as_draws_of_images_differ(figure: Figure) -> None:
    """Ratings of 0 to 3 of 1 to 5 captions of each image, which have a common part."""
    rng, values, halves = np.random.default_rng(0), [], []
    for _ in range(400):
        images = np.repeat(np.arange(120), rng.integers(1, 6, 120))
        common, own, noise = rng.normal(size=120)[images], *rng.normal(size=(2, len(images)))
        ratings = np.clip(np.round(common + own + 1.5), 0, 3)
        found = figure(common + noise, ratings, images)
        assert found is not None and found.high is not None
        values.append(found.value)
        halves.append(found.high - found.value)
    assert np.mean(halves) == pytest.approx(1.98 * np.std(values), rel=0.1)


@given(SMALL)
def test_kappa_equals_scikit_learn(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array(rows) > 1).T
    found = cohen_kappa(first, second, np.arange(len(rows)))
    if len({*first, *second}) == 1:
        assert found is None
    else:
        assert found is not None and found.value == pytest.approx(cohen_kappa_score(first, second))
        assert found.low is None or -1 <= found.low <= found.value <= (found.high or 0.0) <= 1


def test_the_linearised_ratio_has_the_error_of_the_delta_method() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 400)
    hits = rng.binomial(sizes, 0.3)
    values = linearised_ratio(hits, sizes)
    ratio = hits.sum() / sizes.sum()
    assert values.mean() == pytest.approx(ratio)
    variance = np.var(hits, ddof=1) - 2 * ratio * np.cov(hits, sizes)[0, 1] + ratio**2 * np.var(sizes, ddof=1)
    assert values.var(ddof=1) == pytest.approx(variance / sizes.mean() ** 2)


def test_the_kappa_standard_error_equals_fleiss_cohen_and_everitt() -> None:
    cells = np.array([[45, 15], [25, 15]])  # rows: first yes, no; columns: second yes, no
    first = np.repeat([True, True, False, False], cells.ravel())
    second = np.repeat([True, False, True, False], cells.ravel())
    p, n = cells / cells.sum(), cells.sum()
    row, column = p.sum(axis=1), p.sum(axis=0)
    observed, expected = np.trace(p), row @ column
    kappa = (observed - expected) / (1 - expected)
    same = sum(p[i, i] * (1 - (row[i] + column[i]) * (1 - kappa)) ** 2 for i in range(2))
    other = (1 - kappa) ** 2 * sum(p[i, j] * (column[i] + row[j]) ** 2 for i in range(2) for j in range(2) if i != j)
    rest = (kappa - expected * (1 - kappa)) ** 2
    error = np.sqrt((same + other - rest) / (n - 1)) / (1 - expected)
    found = cohen_kappa(first, second, np.arange(n))
    assert found is not None and found.high is not None
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, n - 1) * error)


@pytest.mark.parametrize("noise", [0.3, 1.0, 10.0])
def test_the_interval_of_spearman_is_as_wide_as_draws_differ(noise: float) -> None:
    rng, n = np.random.default_rng(0), 400
    values, halves = [], []
    for _ in range(400):
        first = rng.normal(size=n)
        found = spearman(first, first + noise * rng.normal(size=n), np.arange(n))
        assert found is not None and found.high is not None
        values.append(found.value)
        halves.append(found.high - found.value)
    assert np.mean(halves) == pytest.approx(1.96 * np.std(values), rel=0.1)


def test_observations_that_come_in_copies_count_once() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50))
    again, clusters = np.tile([first, second], 4), np.tile(np.arange(50), 4)
    for figure in (spearman, kendall_b, lambda a, b, c: cohen_kappa(a > 0, b > 0, c), lambda a, b, c: share(a > b, c)):
        assert figure(*again, clusters) == pytest.approx(figure(first, second, np.arange(50)))


def test_shares_of_0_and_1_have_wilson_intervals() -> None:
    for hits in (np.ones(20), np.zeros(20)):
        assert share(hits, np.arange(20) // 2) == wilson(hits[0], 10)


def test_a_share_of_0_has_the_error_of_its_draws_too() -> None:
    hits = np.zeros((3, 50))
    hits[1:, :2] = 1  # 4 % by either half of the draws
    found, plain = by_draws(share, hits, clusters=np.arange(50)), wilson(0.0, 50)
    error, simulated = plain.high / stats.norm.ppf(0.975), 0.04
    freedom = (error**2 + simulated**2) ** 2 / (error**4 / 49 + simulated**4)
    assert found == pytest.approx((0.0, 0.0, stats.t.ppf(0.975, freedom) * np.hypot(error, simulated)))
    assert by_draws(share, hits[:1], clusters=np.arange(50)) == plain


def test_agreement_has_the_error_of_its_draws() -> None:
    rng = np.random.default_rng(1)
    clusters = np.arange(80)
    draws = rng.random((3, 80)) < 0.5
    other = np.where(rng.random(80) < 0.8, draws[0], ~draws[0])[None]
    whole, *halves = (cohen_kappa(one, other[0], clusters) for one in draws)
    found = by_draws(cohen_kappa, draws, other, clusters=clusters)
    assert found.value == whole.value and found.high - found.low > 2 * (whole.high - whole.low)
    assert monte_carlo_error(whole.value, [one.value for one in halves]) > 0.5
    same = np.repeat(draws[:1], 3, axis=0)
    assert by_draws(cohen_kappa, same, other, clusters=clusters) == whole


def test_the_error_of_a_mean_of_draws_is_half_of_the_difference_between_halves() -> None:
    draws = np.random.default_rng(2).normal(size=64)
    halves = draws[::2].mean(), draws[1::2].mean()
    assert monte_carlo_error(draws.mean(), halves) == pytest.approx(abs(halves[0] - halves[1]) / 2)
    many = np.random.default_rng(3).normal(size=(4000, 64))
    errors = [monte_carlo_error(row.mean(), (row[::2].mean(), row[1::2].mean())) for row in many]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1 / 8, rel=0.05)


def test_ordinal_alpha_equals_the_published_example() -> None:
    assert ordinal_alpha([[value - 1 for value in unit] for unit in UNITS], 5) == pytest.approx(0.815, abs=5e-4)


def test_ordinal_alpha_of_perfect_and_opposite_ratings() -> None:
    assert ordinal_alpha([[0, 0], [3, 3], [1, 1]], 4) == 1
    # Two raters, always at opposite ends, as often this way as that: observed d, expected d n / (2 (n - 1)), so
    # 1 - 2 (n - 1) / n = -0.5 for n = 4.
    assert ordinal_alpha([[0, 3], [3, 0]], 4) == pytest.approx(-0.5)


def test_ordinal_alpha_is_none_where_undefined() -> None:
    assert ordinal_alpha([[2, 2], [2, 2]], 4) is None
    assert ordinal_alpha([[2], [1], []], 4) is None
