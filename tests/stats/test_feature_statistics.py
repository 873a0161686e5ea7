import numpy as np
import pytest

from workflow_scripts.stats.feature_statistics import alignment, rankme, uniformity


@pytest.mark.parametrize("used", [1, 3, 7])
def test_rankme_of_equal_directions_is_their_number(used: int) -> None:
    features = np.tile(np.eye(7)[:used], (50, 1)) * 0.01
    assert rankme(features) == pytest.approx(used, rel=1e-4)


def test_rankme_equals_the_formula_of_the_paper() -> None:
    features = np.random.default_rng(0).normal(size=(60, 9)) * np.arange(1, 10) ** -2.0 + 0.3
    for rows in (features, features[:5]):  # more rows than columns, and fewer
        values = np.linalg.svd(rows, compute_uv=False)
        shares = values / values.sum() + 1e-7
        assert rankme(rows) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


def test_rankme_of_zero_features_is_nan() -> None:
    assert np.isnan(rankme(np.zeros((4, 3))))


def test_alignment_is_the_mean_over_pairs_of_a_class() -> None:
    rng = np.random.default_rng(0)
    unit, labels = rng.normal(size=(12, 4)), np.array([0] * 3 + [1] * 5 + [2] + [4] * 3)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    means = [
        np.mean([np.sum((unit[i] - unit[j]) ** 2) for j in np.flatnonzero(labels == labels[i]) if j != i])
        for i in range(12)
        if labels[i] != 2
    ]
    assert alignment(unit, labels) == pytest.approx((np.mean(means), 11))
    assert alignment(np.eye(4), np.zeros(4)) == pytest.approx((2, 4))
    assert alignment(np.ones((3, 1)), np.zeros(3)) == pytest.approx((0, 3))
    value, images = alignment(unit[:2], np.array([0, 1]))
    assert np.isnan(value) and images == 0


def test_uniformity_of_corners_and_of_a_point() -> None:
    corners = np.eye(5)  # all at squared distance 2
    assert uniformity(corners, 100, 0) == pytest.approx(-4)
    assert uniformity(corners, 3, 0) == pytest.approx(-4)
    assert uniformity(np.ones((5, 1)), 100, 0) == 0
    assert np.isnan(uniformity(np.ones((1, 1)), 100, 0))
    opposite = np.array([[1.0], [-1.0], [1.0]])  # one pair at 0, two at 4
    assert uniformity(opposite, 100, 0) == pytest.approx(np.log((1 + 2 * np.exp(-8)) / 3))
    assert uniformity(opposite[:2], 1, 0) == pytest.approx(-8)


def test_a_sample_of_pairs_estimates_all_pairs_and_never_pairs_a_row_with_itself() -> None:
    unit = np.random.default_rng(1).normal(size=(400, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    exact, sampled = uniformity(unit, 10**6, 0), uniformity(unit, 40_000, 7)
    assert sampled == pytest.approx(exact, abs=0.03) and sampled != exact
    assert sampled == uniformity(unit, 40_000, 7)
    two = np.array([[1.0], [-1.0], [1.0], [-1.0]])  # a third of all pairs, and of no five pairs, are at 0
    every = pytest.approx(np.log((2 + 4 * np.exp(-8)) / 6))
    assert uniformity(two, 6, 3) == every and uniformity(two, 5, 3) != every and uniformity(two, 5, 3) < 0
