"""Rows of dots: positions in closed form, escaping, charts of one value."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from workflow_scripts.reporting.dots import LEFT, NAMES, RIGHT, Dot, dots


def test_positions() -> None:
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
def test_one_value(value: float) -> None:
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
