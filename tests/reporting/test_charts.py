"""Drawings: positions against closed forms, escaping, nothing invented."""

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.reporting.charts import LEFT, NAMES, RIGHT, Dot, Line, dots, lines, stacked, thin, ticks


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


def test_curves_leave_out_nan_values() -> None:
    drawn = str(lines([Line("a<b", "arm-self", [0, 1, 2], [1.0, math.nan, 3.0])], "loss", "step"))
    ElementTree.fromstring(drawn)
    assert "nan" not in drawn and "a&lt;b" in drawn
    assert len(re.search(r'points="([^"]+)"', drawn).group(1).split()) == 2  # type: ignore[union-attr]


def test_a_single_point_is_a_dot_and_nothing_gives_nothing() -> None:
    assert "<circle" in str(lines([Line("a", "arm-self", [5], [0.5])], "loss", "step"))
    assert str(lines([Line("a", "arm-self", [], [])], "loss", "step")) == ""


def test_dots_and_whiskers_are_at_the_expected_positions() -> None:
    chart = str(dots([Dot("a", "arm-a", 2.0, 0.0, 10.0), Dot("b", "arm-b", 5.0, None, None)], "words", "per caption"))
    ElementTree.fromstring(chart)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value + 0.6) / 11.2

    assert [float(one) for one in re.findall(r'cx="([\d.]+)"', chart)] == [
        pytest.approx(x(2), abs=0.05), pytest.approx(x(5), abs=0.05)
    ]  # fmt: skip
    (ends,) = re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)"', chart)
    assert [float(end) for end in ends] == [pytest.approx(x(0), abs=0.05), pytest.approx(x(10), abs=0.05)]
    assert "words, per caption" in chart


@pytest.mark.parametrize("value", [0.0, 5.0, -2.0])
def test_a_chart_of_a_single_value_is_centred(value: float) -> None:
    chart = str(dots([Dot("<b>", "arm", value, value, value)], "a", "b"))
    ElementTree.fromstring(chart)
    assert "&lt;b&gt;" in chart and float(re.findall(r'cx="([\d.]+)"', chart)[0]) == pytest.approx(
        (LEFT + RIGHT) / 2, abs=0.1
    )


def test_long_names_are_cut_and_shown_to_the_pointer() -> None:
    name = f"{'a' * 40} crop s0"
    chart = str(dots([Dot(name, "arm", 1.0, None, None)], "a", "b"))
    (shown,) = re.findall(r">(a+…a+ crop s0)<", chart)
    assert len(shown) == NAMES and f"<title>{name}</title>" in chart
