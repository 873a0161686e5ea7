"""Moderated variances against an independent solution, and against what they are drawn from."""

import numpy as np
import pytest
from scipy import optimize, special

from workflow_scripts.stats.moderation import BOUNDED, LARGEST_PRIOR, expected_seed_part, moderated, prior, seed_part
from workflow_scripts.stats.random_effects import Part


def drawn(arms: int, prior_freedom: float, freedom: np.ndarray, seed: int = 0) -> np.ndarray:
    """Sample variances of arms whose variances are 4 times scaled inverse chi-square."""
    rng = np.random.default_rng(seed)
    of_arms = 4 * prior_freedom / rng.chisquare(prior_freedom, arms)
    return np.asarray(of_arms * rng.chisquare(freedom) / freedom)


@pytest.mark.parametrize("seed", range(4))
def test_the_prior_solves_the_equations_of_moments(seed: int) -> None:
    freedom = np.array([2.0, 2, 2, 4, 4, 9, 2, 2])
    variances = drawn(8, 1.5, freedom, seed)
    e = np.log(variances) - special.psi(freedom / 2) + np.log(freedom / 2)
    excess = np.var(e, ddof=1) - np.mean(special.polygamma(1, freedom / 2))
    found, scale = prior(variances, freedom)
    if excess <= 0:
        assert np.isinf(found) and scale == pytest.approx(np.exp(e.mean()))
        return
    expected = optimize.brentq(lambda d: special.polygamma(1, d / 2) - excess, 1e-3, 1e6, xtol=1e-10)
    assert found == pytest.approx(expected, rel=1e-6)
    assert scale == pytest.approx(np.exp(e.mean() + special.psi(expected / 2) - np.log(expected / 2)))


def test_the_prior_is_found_from_many_arms() -> None:
    found, scale = prior(drawn(20_000, 6.0, np.full(20_000, 2.0)), np.full(20_000, 2.0))
    assert found == pytest.approx(6, rel=0.15) and scale == pytest.approx(4, rel=0.03)


def test_equal_arms_have_an_infinite_prior_that_counts_as_the_largest() -> None:
    freedom = np.full(8, 2.0)
    found = moderated(np.full(8, 3.0), freedom)
    scale = 3 / np.exp(special.psi(1))  # e = log 3 - psi(1) + log(1)
    mixed = (LARGEST_PRIOR * scale + 2 * 3) / (LARGEST_PRIOR + 2)
    assert found.variance == pytest.approx(np.full(8, max(mixed, 3.0 if BOUNDED else 0)))
    assert found.freedom == pytest.approx(min(LARGEST_PRIOR + 2, 16))


def test_studies_are_moderated_separately() -> None:
    freedom = np.full(6, 2.0)
    many = np.stack([drawn(6, 3.0, freedom, seed) for seed in range(5)])
    together = moderated(many, freedom)
    for number, one in enumerate(many):
        assert together.variance[number] == pytest.approx(moderated(one, freedom).variance)


def test_the_seed_part_is_a_weighted_sum_with_satterthwaites_freedom() -> None:
    arms = Part(np.array([1.0, 2.0, 5.0]), np.array([4.0, 4.0, 4.0]))
    found = seed_part(arms, np.array([1.0, -0.5, 0.0]), 3, 100.0)
    assert found.variance == pytest.approx((1 + 0.5) / 3)
    assert found.freedom == pytest.approx(1.5**2 / (1 / 4 + 0.25 / 4))
    assert seed_part(arms, np.array([1.0, -0.5, 0.0]), 3, 5.0).freedom == 5


def test_the_expected_seed_part_is_the_mean_over_draws_with_a_known_prior() -> None:
    freedom, weights = np.array([2.0, 2, 4, 9, 2, 2]), np.array([1.0, -0.5, -0.5, 0, 0, 0])
    own = np.random.default_rng(1).chisquare(freedom, (200_000, 6)) / freedom
    mixed = np.maximum((LARGEST_PRIOR + freedom * own) / (LARGEST_PRIOR + freedom), own)
    drawn_parts = mixed @ weights**2 / 3
    found, varies = expected_seed_part(freedom, weights, 3)
    assert found.variance == pytest.approx(drawn_parts.mean(), rel=0.005)
    assert varies == pytest.approx(2 * drawn_parts.mean() ** 2 / drawn_parts.var(), rel=0.02)
    plain = seed_part(Part(mixed.mean(axis=0), np.minimum(LARGEST_PRIOR + freedom, 21.0)), weights, 3, 21.0)
    assert found.freedom == pytest.approx(plain.freedom, rel=0.005)
