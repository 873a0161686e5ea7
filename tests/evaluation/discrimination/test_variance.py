import numpy as np
import pytest
from scipy import stats

from workflow_scripts.evaluation.discrimination.variance import components


def simulated(rng: np.random.Generator, sizes: list[int], sd: tuple[float, float, float], images: int) -> np.ndarray:
    """Scores (runs, images) with standard deviations of models, seeds and images."""
    runs = np.repeat(rng.normal(0, sd[0], len(sizes)), sizes) + rng.normal(0, sd[1], sum(sizes))
    return runs[:, None] + rng.normal(0, 1, images) + rng.normal(0, sd[2], (sum(sizes), images))


def test_balanced_components_are_those_of_the_analysis_of_variance() -> None:
    values = simulated(np.random.default_rng(0), [3] * 5, (0.3, 0.1, 0.5), 40)
    found = components(values, np.repeat(np.arange(5), 3), 0.95)
    means = values.mean(axis=1).reshape(5, 3)
    f = stats.f_oneway(*means).statistic
    within = means.var(axis=1, ddof=1).mean()
    assert found.model == pytest.approx(within * (f - 1) / 3)
    assert found.icc == pytest.approx((f - 1) / (f + 2))
    assert found.seed == pytest.approx(max(0, within - found.image / 40))
    low, high = (f / stats.f.ppf(q, 4, 10) for q in (0.975, 0.025))
    assert (found.low, found.high) == pytest.approx(((low - 1) / (low + 2), (high - 1) / (high + 2)))


def test_estimates_are_unbiased_and_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    sizes, sd, images = [3, 3, 3, 2, 2, 1], (0.3, 0.15, 0.8), 60
    models = np.repeat(np.arange(6), sizes)
    found = [components(simulated(rng, sizes, sd, images), models, 0.95) for _ in range(4000)]
    assert np.mean([one.image for one in found]) == pytest.approx(sd[2] ** 2, rel=0.02)
    assert np.mean([one.model for one in found]) == pytest.approx(sd[0] ** 2, rel=0.12)
    assert np.mean([one.seed for one in found]) == pytest.approx(sd[1] ** 2, rel=0.2)
    icc = sd[0] ** 2 / (sd[0] ** 2 + sd[1] ** 2 + sd[2] ** 2 / images)
    assert np.mean([one.low <= icc <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)


def test_image_level_shifts_do_not_change_the_variance_components() -> None:
    rng = np.random.default_rng(2)
    values = simulated(rng, [2, 2, 2], (0.2, 0.1, 0.3), 30)
    models = np.repeat(np.arange(3), 2)
    shifted = values + 10 * rng.normal(size=30)
    assert components(shifted, models, 0.95)[:3] == pytest.approx(components(values, models, 0.95)[:3])


def test_the_icc_of_single_seeds_and_equal_runs() -> None:
    values = np.random.default_rng(3).random((3, 10))
    alone = components(values, np.arange(3), 0.95)
    assert np.isnan(alone.icc) and np.isnan(alone.seed) and alone.image > 0
    same = components(np.repeat([[0.0], [0.0], [1.0], [1.0]], 10, axis=1), np.array([0, 0, 1, 1]), 0.95)
    assert (same.icc, same.low, same.high) == (1, 1, 1)
    assert components(np.zeros((4, 10)), np.array([0, 0, 1, 1]), 0.95).icc == 0


def test_a_single_image_cannot_separate_seed_and_image_variance() -> None:
    found = components(np.random.default_rng(4).random((4, 1)), np.array([0, 0, 1, 1]), 0.95)
    assert np.isnan(found.image) and np.isnan(found.seed) and np.isfinite(found.icc)
