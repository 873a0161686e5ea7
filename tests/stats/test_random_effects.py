"""The random-effects interval against least squares, scipy and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from workflow_scripts.stats.random_effects import class_parts, detectable, holm, two_way

UNEQUAL = {
    "one of 50 %": np.array([9, *[1] * 9]) / 18,
    "one of 96 %": np.array([96, 1, 1, 1, 1]) / 100,
    "Zipf": 1 / np.arange(1, 11) / np.sum(1 / np.arange(1, 11)),
}


def mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """Seed, class and rest, from residual sums of squares of dummy regressions."""
    seeds, classes = table.shape
    rows, columns = (index.ravel() for index in np.indices(table.shape))

    def residual(*factors: np.ndarray) -> float:
        design = np.column_stack([np.ones(table.size), *(np.eye(factor.max() + 1)[factor] for factor in factors)])
        fitted = design @ np.linalg.lstsq(design, table.ravel(), rcond=None)[0]
        return float(((table.ravel() - fitted) ** 2).sum())

    full = residual(rows, columns)
    return (
        (residual(columns) - full) / (seeds - 1),
        (residual(rows) - full) / (classes - 1),
        full / ((seeds - 1) * (classes - 1)),
    )


@pytest.mark.parametrize("spread", [(2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0)])
@pytest.mark.parametrize("number", range(4))
def test_the_random_effects_interval_equals_the_analysis_of_variance(spread: tuple[float, float], number: int) -> None:
    rng = np.random.default_rng([7, number])
    table = rng.normal(size=(4, 6)) + rng.normal(0, spread[0], (4, 1)) + rng.normal(0, spread[1], (1, 6))
    seed, classes, rest = (square / 24 for square in mean_squares(table))
    found = two_way([table], [np.full(6, 1 / 6)])
    total = seed + classes - rest
    expected = max(total, seed, classes)
    if expected == total:
        freedom = total**2 / (seed**2 / 3 + classes**2 / 5 + rest**2 / 15)
    else:
        freedom = 3 if expected == seed else 5
    assert found.mean == pytest.approx(table.mean())
    assert found.variance == pytest.approx(expected) and found.freedom == pytest.approx(freedom)
    ends = stats.t.interval(0.9, freedom, table.mean(), np.sqrt(expected))
    assert found.interval(0.9) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


def test_the_p_value_is_the_larger_of_the_joint_and_seed_tests() -> None:
    rng = np.random.default_rng(1)
    table = 0.5 + rng.normal(size=(5, 8)) + rng.normal(0, 2, (1, 8))
    found = two_way([table], [np.full(8, 1 / 8)])
    joint = 2 * stats.t.sf(abs(found.mean) / np.sqrt(found.variance), found.freedom)
    alone = stats.ttest_1samp(table.mean(axis=1), 0).pvalue
    assert joint > alone and found.p_value() == pytest.approx(joint)
    table = 3 + rng.normal(size=(3, 40)) + rng.normal(0, 1, (3, 1))
    found = two_way([table], [np.full(40, 1 / 40)])
    assert found.p_value() == pytest.approx(stats.ttest_1samp(table.mean(axis=1), 0).pvalue)


def test_without_class_variance_and_noise_it_equals_the_t_test_over_seeds() -> None:
    by_seed = np.array([0.1, 0.4, 0.2])
    found = two_way([np.repeat(by_seed[:, None], 5, axis=1)], [np.full(5, 0.2)])
    expected = stats.ttest_1samp(by_seed, 0)
    assert found.freedom == pytest.approx(2) and found.p_value() == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert found.interval(0.95) == (pytest.approx(low), pytest.approx(high))


def test_weights_of_classes_are_those_of_repeated_classes() -> None:
    """A class of weight 2/6 counts as much as two classes of 1/6 with equal values, except that a class is fewer."""
    table = np.random.default_rng(2).normal(size=(3, 5))
    found = two_way([table], [np.array([1, 1, 1, 1, 2]) / 6])
    double = two_way([table[:, [0, 1, 2, 3, 4, 4]]], [np.full(6, 1 / 6)])
    assert found.mean == pytest.approx(double.mean) and found.seed_variance == pytest.approx(double.seed_variance)


@pytest.mark.parametrize("shares", [*UNEQUAL.values(), np.full(7, 1 / 7)], ids=[*UNEQUAL, "equal"])
def test_the_class_part_is_a_quadratic_form(shares: np.ndarray) -> None:
    by_class = np.random.default_rng(5).normal(size=len(shares))
    found = two_way([np.tile(by_class, (3, 1))], [shares])  # seeds without differences: only the class part
    project = np.eye(len(shares)) - np.outer(np.ones(len(shares)), shares)
    form = project.T @ np.diag(shares**2) @ project
    expected = by_class @ form @ by_class * (shares @ shares) / np.trace(form)
    assert found.variance == pytest.approx(expected)
    assert found.freedom == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form)) and found.freedom >= 1


@pytest.mark.parametrize("shares", UNEQUAL.values(), ids=UNEQUAL)
def test_unequal_classes_are_covered(shares: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    shape = (2000, 5, len(shares))
    tables = rng.normal(0, 0.3, shape) + rng.normal(0, 0.3, (*shape[:2], 1)) + rng.normal(size=(2000, 1, len(shares)))
    found = two_way([tables], [shares])
    low, high = found.interval(0.95)
    # The Monte Carlo error is 0.005.
    assert ((low <= 0) & (high >= 0)).mean() > 0.935
    truth = (shares @ shares) * (1 + 0.3**2 / 5) + 0.3**2 / 5
    assert 0.9 < found.variance.mean() / truth < 1.2  # larger parts are not undercut, so not unbiased to the last


def test_a_mean_over_two_sets_of_two_classes_is_covered() -> None:
    rng = np.random.default_rng(8)
    seeds = rng.normal(0, 0.5, (4000, 10, 1))
    tables = [seeds + rng.normal(0, 0.3, (4000, 10, 2)) + rng.normal(size=(4000, 1, 2)) for _ in range(2)]
    found = two_way(tables, [np.full(2, 0.5)] * 2)
    low, high = found.interval(0.95)
    assert ((low <= 0) & (high >= 0)).mean() > 0.94 and (found.p_value() < 0.05).mean() < 0.06


@pytest.mark.parametrize("rest", [1e-4, 1e-6])
def test_a_class_may_have_nearly_all_the_weight(rest: float) -> None:
    shares = np.array([1 - rest, rest / 2, rest / 2])
    found = two_way([np.tile([1e6, 2e6, 4e6], (3, 1))], [shares])
    # To the first order in the rest, A / rest^2 has the diagonal 3/2, 1/2, 1/2, and beside it 3/4 (largest), 1/4.
    assert found.freedom == pytest.approx(2.5**2 / (2.25 + 2 * 0.25 + 4 * 0.75**2 + 2 * 0.25**2), rel=1e-3)


def test_datasets_share_seeds_and_add_their_classes() -> None:
    rng = np.random.default_rng(3)
    seeds = rng.normal(0, 3, (4, 1))
    tables = [rng.normal(size=(4, n)) + seeds + rng.normal(0, 3, (1, n)) for n in (6, 9)]
    shares = [np.full(6, 1 / 6), np.full(9, 1 / 9)]
    found = two_way(tables, shares)
    by_seed = np.mean([table.mean(axis=1) for table in tables], axis=0)
    seed = stats.sem(by_seed) ** 2
    (_, c1, r1), (_, c2, r2) = (np.array(mean_squares(table)) / table.size for table in tables)
    total = seed + (c1 + c2) / 4 - (r1 + r2) / 4
    assert found.mean == pytest.approx(by_seed.mean()) and found.variance == pytest.approx(total)
    spread = seed**2 / 3 + (c1**2 / 5 + c2**2 / 8 + r1**2 / 15 + r2**2 / 24) / 16
    assert found.freedom == pytest.approx(total**2 / spread)


def test_studies_are_computed_at_once() -> None:
    tables = np.random.default_rng(4).normal(size=(7, 3, 5))
    shares = np.full(5, 0.2)
    together = two_way([tables], [shares])
    for number, table in enumerate(tables):
        alone = two_way([table], [shares])
        assert together.variance[number] == pytest.approx(alone.variance)
        assert together.freedom[number] == pytest.approx(alone.freedom)


def test_zero_variance_gives_no_significance() -> None:
    shares = np.full(4, 0.25)
    nothing, same = two_way([np.zeros((3, 4))], [shares]), two_way([np.full((3, 4), 0.1)], [shares])
    assert nothing.p_value() == 1 and nothing.interval(0.95) == (0, 0)
    assert np.isnan(same.variance) and np.isnan(same.p_value()) and np.isnan(same.interval(0.95)).all()


def test_rounding_noise_is_not_taken_for_an_effect() -> None:
    noise = two_way([np.full((3, 4), 1e-16)], [np.full(4, 0.25)])
    assert noise.mean == 0 and noise.p_value() == 1
    known = two_way([1.0 + 1e-6 * np.random.default_rng(0).normal(size=(3, 4))], [np.full(4, 0.25)])
    assert 0 < known.variance < 1e-11 and known.p_value() < 1e-9


@pytest.mark.parametrize("shape", [(2, 5), (3, 1)])
def test_too_few_seeds_or_classes_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 3 and 2 are required"):
        two_way([np.ones(shape)], [np.full(shape[1], 1 / shape[1])])


def test_holm_adjustment_by_hand() -> None:
    # 4 * .005; 3 * .01; 2 * .03; 1 * .04, but not below its predecessor.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, 0.7])) == pytest.approx([0.8, 0.8])
    assert holm(np.array([0.9, 0.9])) == pytest.approx([1, 1])
    assert holm(np.array([0.02])) == pytest.approx([0.02])
    families = np.random.default_rng(0).random((3, 9)) ** 3
    assert (holm(families) == [holm(family) for family in families]).all()


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


@pytest.mark.parametrize(("critical", "finite"), [(9_999.5, True), (10_000.5, False)])
def test_effects_are_detected_up_to_a_critical_value_of_ten_thousand(critical: float, finite: bool) -> None:
    found = detectable(np.array(1.0), np.array(1.0), 1, alpha=2 * stats.t.sf(critical, 1))
    assert np.isfinite(found) == finite


NAMES = [list("abcdef"), list("defghijk"), list("xy"), list("kz")]


def test_sets_with_common_classes_have_one_class_part() -> None:
    """Against the quadratic form by explicit matrices; the third set has a class part of its own."""
    rng = np.random.default_rng(11)
    shares = [rng.dirichlet(np.ones(len(names))) for names in NAMES]
    by_class = [rng.normal(size=len(names)) for names in NAMES]
    found = two_way([np.tile(one, (3, 1)) for one in by_class], shares, NAMES)
    joined = [0, 1, 3]
    names = sorted({name for at in joined for name in NAMES[at]})
    cells = [(at, place) for at in joined for place in range(len(NAMES[at]))]
    belongs = np.array([[NAMES[at][place] == name for at, place in cells] for name in names], np.float64)
    weights = np.array([shares[at][place] / 4 for at, place in cells])
    project = np.eye(len(cells)) - np.array([[(a == b) * shares[b][p] for b, p in cells] for a, _ in cells])
    residual = belongs @ (weights * (project @ np.concatenate([by_class[at] for at in joined])))
    form = (belongs * weights) @ project @ belongs.T
    scale = np.sum((belongs @ weights) ** 2) / np.trace(form @ form.T)
    alone = two_way([np.tile(by_class[2], (3, 1))], [shares[2]])
    parts = {scale * np.sum(residual**2): np.trace(form.T @ form) ** 2 / np.trace(form.T @ form @ form.T @ form)}
    parts |= {float(alone.variance) / 16: float(alone.freedom)}
    assert found.variance == pytest.approx(sum(parts))
    assert found.freedom == pytest.approx(sum(parts) ** 2 / sum(part**2 / f for part, f in parts.items()))


def test_a_set_twice_has_the_interval_of_the_set() -> None:
    table = np.random.default_rng(12).normal(size=(4, 7))
    shares = np.arange(1, 8) / 28
    once, twice = two_way([table], [shares]), two_way([table, table], [shares] * 2, [list("abcdefg")] * 2)
    assert (twice.variance, twice.freedom) == (pytest.approx(once.variance), pytest.approx(once.freedom))
    apart = two_way([table, table], [shares] * 2)
    assert apart.variance < 0.9 * once.variance


def test_sets_without_common_classes_are_as_without_names() -> None:
    rng = np.random.default_rng(13)
    tables, shares = [rng.normal(size=(3, n)) for n in (4, 5)], [np.full(n, 1 / n) for n in (4, 5)]
    one, other = two_way(tables, shares), two_way(tables, shares, [list("abcd"), list("efghi")])
    assert (one.variance, one.freedom) == (other.variance, other.freedom)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_common_classes_are_not_rejected_too_often(seeds: int) -> None:
    """Two sets with the same classes and no effect: 3.8, 7.9 and 11.9 % are rejected if their parts are added."""
    rng = np.random.default_rng([14, seeds])
    by_class = rng.normal(size=(4000, 1, 10))
    deviation = rng.normal(0, 0.15, (4000, seeds, 1))
    tables = [deviation + by_class + rng.normal(0, 0.3, (4000, seeds, 10)) for _ in range(2)]
    shares, names = [np.full(10, 0.1)] * 2, [list(range(10))] * 2
    joined, apart = (two_way(tables, shares, one).p_value() < 0.05 for one in (names, None))
    assert joined.mean() < 0.06 < 0.10 < apart.mean() or seeds == 3


def test_the_equivalence_test_is_two_one_sided_ones() -> None:
    table = 0.1 + np.random.default_rng(15).normal(size=(5, 8))
    found = two_way([table], [np.full(8, 1 / 8)])
    by = [(found.variance, found.freedom), (found.seed_variance, found.seed_freedom)]
    one_sided = [
        stats.t.sf((1.5 + sign * found.mean) / np.sqrt(variance), freedom)
        for variance, freedom in by
        for sign in (1, -1)
    ]
    assert found.p_equivalent(1.5) == pytest.approx(max(one_sided))
    assert found.p_equivalent(0.01) > 0.5


def test_what_all_classes_of_a_seed_share_has_no_part_in_class_parts_and_rest() -> None:
    rng = np.random.default_rng(12)
    tables, shares = [rng.normal(size=(4, size)) for size in (6, 9)], [np.full(6, 1 / 6), rng.dirichlet(np.ones(9))]
    classes = [[*range(6)], [*range(3, 12)]]
    for own in (None, classes):
        plain = class_parts(tables, shares, own)
        shifted = class_parts([table + rng.normal(size=(4, 1)) for table in tables], shares, own)
        for one, other in zip(plain, shifted, strict=True):
            assert [part.variance for part in one] == pytest.approx([part.variance for part in other])
