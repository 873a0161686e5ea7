"""A histogram is drawn of any numbers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from workflow_scripts.stats.histogram import BINS, histogram


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.0],
        [1.0, 1.0000001],
        [0.0, 1e-45],
        [np.nan, 1.0],
        [np.inf, 1.0],
        [],
        [np.nan],
        [1e30, 1e30],
        [-1e-9, 1e-9],
        [0.0, 1e30],
        [3],
    ],
)
def test_a_histogram_can_be_drawn_of_any_numbers(values: list[float]) -> None:
    axes = Figure().subplots()
    histogram(axes, np.array(values, np.float32), color="red")
    heights = [bar.get_height() for bar in axes.patches]
    assert len(heights) == BINS and sum(heights) == np.isfinite(values).sum()


def test_the_range_is_that_of_the_values() -> None:
    axes = Figure().subplots()
    histogram(axes, np.linspace(-1, 1, 100))
    assert (axes.patches[0].get_x(), axes.patches[-1].get_x()) == pytest.approx((-1.0, 1.0 - 2 / BINS))


@pytest.mark.parametrize(("values", "low", "high"), [([], 0.0, 1.0), ([0.25, 0.25], -0.25, 0.75), ([-4.0], -6.0, -2.0)])
def test_the_range_of_no_number_or_one_has_a_width(values: list[float], low: float, high: float) -> None:
    axes = Figure().subplots()
    histogram(axes, np.array(values))
    last = axes.patches[-1]
    assert (axes.patches[0].get_x(), last.get_x() + last.get_width()) == pytest.approx((low, high))
