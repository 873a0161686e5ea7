"""Where a line crosses zero, against Fieller's interval in closed form."""

import numpy as np
import pytest
from scipy import stats

from workflow_scripts.reporting.crossing import STEPS, crossing

SHARES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
STEP = 1 / STEPS


def fitted(seed: int, at: float, slope: float, error: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Intercept and slope of a line over the shares minus a reference, their covariance, and t for its intervals."""
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(5), SHARES])
    inverse = np.linalg.inv(design.T @ design)
    scores = slope * (SHARES - at) + error * rng.standard_normal(5)
    covariance = error**2 * inverse
    covariance[0, 0] += error**2 / 5  # of the reference, which has five seeds
    found = inverse @ design.T @ scores - [error / np.sqrt(5) * rng.standard_normal(), 0]
    return found, covariance, float(stats.t.ppf(0.975, 8))


def on_line(line: np.ndarray, covariance: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and half widths at 0, 1/2 and 1."""
    at = np.column_stack([np.ones(3), [0, 0.5, 1]])
    return at @ line, t * np.sqrt(np.einsum("ij,jk,ik->i", at, covariance, at))


def fieller(line: np.ndarray, covariance: np.ndarray, t: float) -> tuple[float, float]:
    """Roots of (a + b x)^2 = t^2 (v_aa + 2 v_ab x + v_bb x^2), of a slope that differs from 0."""
    (a, b), v = line, t**2 * covariance
    assert b**2 > v[1, 1]
    low, high = sorted(np.roots([b**2 - v[1, 1], 2 * (a * b - v[0, 1]), a**2 - v[0, 0]]).real)
    return low, high


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("at", "slope"), [(0.5, 0.2), (0.3, 0.4), (0.6, -0.3)])
def test_the_interval_is_that_of_fieller(seed: int, at: float, slope: float) -> None:
    line, covariance, t = fitted(seed, at, slope, 0.02)
    low, high = fieller(line, covariance, t)
    found = crossing(*on_line(line, covariance, t))
    assert found.share == pytest.approx(-line[0] / line[1])
    assert found.low == pytest.approx(max(low, 0), abs=STEP) and found.high == pytest.approx(min(high, 1), abs=STEP)


def test_an_interval_between_two_steps_is_its_share() -> None:
    line, covariance = np.array([-0.30045, 1.0]), 1e-12 * np.eye(2)
    found = crossing(*on_line(line, covariance, 2.0))
    assert (found.share, found.low, found.high) == pytest.approx((0.30045,) * 3)
    assert found.text == "overtake self pairs at 30 % [30, 30] faithful captions"


def test_the_share_lies_within_its_interval() -> None:
    """Also if the interval has a single step, or none."""
    for at in np.linspace(0.3, 0.301, 11):
        found = crossing((-at, 0.5 - at, 1 - at), (6e-4,) * 3)
        assert found.low is not None and found.share is not None and found.high is not None
        assert found.low <= found.share <= found.high


@pytest.mark.parametrize(
    ("at_zero", "at_one", "text"),
    [
        (0.05, 0.2, "are above self pairs at every share of faithful captions"),
        (-0.2, -0.05, "are below self pairs at every share of faithful captions"),
        (0.01, 0.2, "are above self pairs, but may equal them at 0 to 5 % faithful captions"),
        (-0.2, -0.01, "are below self pairs, but may equal them at 95 to 100 % faithful captions"),
        (-0.1, 0.1, "overtake self pairs at 50 % [40, 60] faithful captions"),
        (0.1, -0.1, "fall behind self pairs at 50 % [40, 60] faithful captions"),
    ],
)
def test_the_text_says_on_which_side_language_is(at_zero: float, at_one: float, text: str) -> None:
    found = crossing((at_zero, (at_zero + at_one) / 2, at_one), (0.02,) * 3)
    assert found.text == text


def test_a_slope_that_may_be_zero_leaves_all_shares_open() -> None:
    """Fieller's interval is then unbounded."""
    found = crossing((-0.01, 0.0, 0.01), (0.05, 0.04, 0.05))
    assert (found.low, found.share, found.high) == pytest.approx((0.0, 0.5, 1.0))


def test_a_line_without_error_crosses_at_a_point() -> None:
    found = crossing((-0.25, 0.25, 0.75), (0.0, 0.0, 0.0))
    assert (found.low, found.share, found.high) == pytest.approx((0.25,) * 3)
