"""Rows and curves: what is drawn is what the file says, and labels do not touch."""

import csv
import io
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from workflow_scripts.reporting.drawing.style import colour
from workflow_scripts.reporting.drawings import (
    LABEL,
    NAME,
    POINTS,
    Axis,
    Curve,
    Dot,
    Panel,
    curve_figure,
    dot_figure,
    shortened,
    spread,
)  # fmt: skip
from workflow_scripts.reporting.figures import Figure

PANELS = [
    Panel("words", "per caption", [Dot("a", "arm-self", 2.0, 0.0, 10.0), Dot("b", "arm-other", 5.0)], "higher"),
    Panel("vague", "%", [Dot("b", "arm-other", -1.0, -2.0, 0.5)], "lower", zero=True),
]


def drawn(figure: Figure | None) -> Canvas:
    assert figure is not None
    canvas = Canvas(figsize=figure.size)
    figure.draw(canvas)
    return canvas


def test_dots_and_whiskers_are_where_the_numbers_are() -> None:
    figure = dot_figure("f", "t", "alt", PANELS)
    words, vague = drawn(figure).axes
    marks = [tuple(float(end) for end in (*line.get_xdata(), *line.get_ydata())) for line in words.lines]
    assert marks == [(0.0, 10.0, 0.0, 0.0), (2.0, 2.0, 0.0, 0.0), (5.0, 5.0, 1.0, 1.0)]
    assert [line.get_color() for line in words.lines] == [colour("arm-self")] * 2 + [colour("arm-other")]
    zero, whisker, dot = ([float(at) for at in line.get_xdata()] for line in vague.lines)
    assert (zero, whisker, dot) == ([0, 0], [-2.0, 0.5], [-1.0, -1.0])
    assert [text.get_text() for text in words.get_yticklabels()] == ["a", "b"]
    assert (words.get_xlabel(), vague.get_xlabel()) == ("per caption, better →", "%, ← better")
    rows = list(csv.reader(io.StringIO(figure.files()["csv"].decode())))
    assert rows[1:] == [
        ["words", "per caption", "higher", "a", "2.0", "0.0", "10.0"],
        ["words", "per caption", "higher", "b", "5.0", "", ""],
        ["vague", "%", "lower", "b", "-1.0", "-2.0", "0.5"],
    ]


def test_titles_of_panels_beside_each_other_do_not_touch() -> None:
    dots = [Dot("generated captions", "ink", 1.0, 0.0, 2.0)]
    figure = dot_figure("f", "t", "alt", [Panel(title, "%", dots) for title in ("own image above a random one", *"bc")])
    canvas, _ = figure._drawn
    renderer = FigureCanvasAgg(canvas).get_renderer()
    ends = [axes._left_title.get_window_extent(renderer) for axes in canvas.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(ends)) and ends[0].x1 <= canvas.axes[0].bbox.x1 + 5


def test_curves_leave_out_what_is_not_finite_and_differ_by_dash() -> None:
    curves = [
        Curve("up", "arm-self", [0, 1, 2], [1.0, math.nan, 3.0], [0.5, 0.5, 2.5], [1.5, 1.5, 3.5]),
        Curve("none", "arm-self", [], []),
        Curve("level", "arm-self", [0, 2], [2.0, 2.0]),
    ]
    figure = curve_figure("f", "t", "alt", Axis("step", "loss"), curves)
    assert figure is not None
    assert figure.rows == [
        ("up", 0, 1.0, 0.5, 1.5), ("up", 2, 3.0, 2.5, 3.5), ("level", 0, 2.0, None, None), ("level", 2, 2.0, None, None)
    ]  # fmt: skip
    (axes,) = drawn(figure).axes
    up, level = axes.lines[:2]
    assert list(up.get_ydata()) == [1.0, 3.0] and up.get_linestyle() != level.get_linestyle()
    assert len(axes.collections) == 1 and {text.get_text() for text in axes.texts} == {"up", "level"}
    assert curve_figure("f", "t", "alt", Axis("step", "loss"), curves[1:2]) is None


def test_thinning_keeps_the_mean() -> None:
    y = [float(at % 7) for at in range(2 * POINTS)]
    figure = curve_figure("f", "t", "alt", Axis("x", "y"), [Curve("a", "arm-self", list(range(len(y))), y)])
    assert figure is not None and len(figure.rows) == POINTS
    assert sum(row[2] for row in figure.rows) / POINTS == pytest.approx(sum(y) / len(y))  # type: ignore[misc]


def test_labels_on_a_logarithmic_axis_are_beside_the_ends() -> None:
    curves = [Curve(name, "arm-self", [1, 10, 100], [y, y, y]) for name, y in (("low", 1.0), ("high", 2.0))]
    figure = curve_figure("f", "t", "alt", Axis("lr", "score", log=True, ticks=[(1, "one"), (100, "1e2")]), curves)
    (axes,) = drawn(figure).axes
    assert axes.get_xscale() == "log" and [text.get_text() for text in axes.get_xticklabels()] == ["one", "1e2"]
    low, high = sorted(axes.texts, key=lambda text: text.get_position()[1])
    (bottom, top), span = axes.get_ylim(), axes.get_ylim()[1] - axes.get_ylim()[0]
    assert low.get_position()[1] == pytest.approx((1.0 - bottom) / span) and low.get_text() == "low"
    assert high.get_position()[1] == pytest.approx((2.0 - bottom) / span) and top > 2.0


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_spread_labels_are_apart_and_stay_in_place_where_there_is_room(ends: list[float]) -> None:
    ends = sorted(ends)
    found = spread(ends, LABEL)
    assert all(after - before >= LABEL - 1e-9 for before, after in pairwise(found))
    assert sum(found) == pytest.approx(sum(ends), abs=1e-6)
    if all(after - before > LABEL for before, after in pairwise(ends)):
        assert found == pytest.approx(ends)


def test_a_long_name_keeps_its_seed() -> None:
    short = shortened(f"{'a' * 60} crop s0")
    assert len(short) == NAME and short.endswith("…a crop s0") and shortened("b") == "b"
