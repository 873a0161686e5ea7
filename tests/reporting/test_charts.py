"""Drawings: positions against closed forms, escaping, nothing invented."""

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.reporting.charts import Line, axis, forest_limits, lines, stacked, strip, thin, ticks


def test_a_strip_puts_zero_in_the_middle_and_the_ends_where_they_are() -> None:
    drawn = str(strip(0.05, 0.0, 0.1, (-0.1, 0.1), "arm-revised", "<b>"))
    ElementTree.fromstring(drawn)
    assert 'class="zero" x1="120.0"' in drawn
    assert 'class="whisker" x1="120.0" x2="234.0"' in drawn
    assert 'class="dot" cx="177.0"' in drawn
    assert "<b>" not in drawn and "&lt;b&gt;" in drawn


def test_a_strip_without_interval_is_hollow_and_has_no_whisker() -> None:
    drawn = str(strip(0.05, None, None, (-0.1, 0.1)))
    assert "dot hollow" in drawn and "whisker" not in drawn


def test_limits_are_symmetric_and_hold_everything() -> None:
    left, right = forest_limits([(0.1, -0.3, 0.2), (0.0, None, None)])
    assert left == -right and right > 0.3


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_inside_and_evenly_spaced(low: float, width: float) -> None:
    found = ticks(low, low + width)
    slack = 1e-6 * max(abs(low), width)
    assert 1 <= len(found) <= 9
    assert all(low - slack <= tick <= low + width + slack for tick in found)
    steps = [b - a for a, b in pairwise(found)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)


def test_stacked_bars_share_the_total() -> None:
    widths = [
        float(w) for w in re.findall(r'width="([\d.]+)"', str(stacked([("kept", 30, "k"), ("lost", 10, "l")], 80)))
    ]
    assert widths == [375.0, 125.0]
    assert 'width="0.0"' in str(stacked([("kept", 0, "k")], 0))


def test_thinning_keeps_the_mean() -> None:
    x, y = thin(list(range(240)), [float(at % 7) for at in range(240)], 120)
    assert len(x) == 120
    assert sum(y) / 120 == pytest.approx(sum(at % 7 for at in range(240)) / 240)


def test_curves_leave_out_what_is_no_number() -> None:
    drawn = str(lines([Line("a<b", "arm-self", [0, 1, 2], [1.0, math.nan, 3.0])], "loss", "step"))
    ElementTree.fromstring(drawn)
    assert "nan" not in drawn and "a&lt;b" in drawn
    assert len(re.search(r'points="([^"]+)"', drawn).group(1).split()) == 2  # type: ignore[union-attr]


def test_a_single_point_is_a_dot_and_nothing_gives_nothing() -> None:
    assert "<circle" in str(lines([Line("a", "arm-self", [5], [0.5])], "loss", "step"))
    assert str(lines([Line("a", "arm-self", [], [])], "loss", "step")) == ""


def test_the_axis_is_in_points() -> None:
    assert ">+10<" in str(axis((-0.15, 0.15))) and ">−10<" in str(axis((-0.15, 0.15)))
