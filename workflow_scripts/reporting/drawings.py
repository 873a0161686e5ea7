"""Figures of two kinds: values with intervals in rows, and curves with bands."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from workflow_scripts.reporting.drawing.style import COLOURS, DASHES, MARKERS, PAGE, colour
from workflow_scripts.reporting.figures import Figure, tip
from workflow_scripts.reporting.text import arm_class, plain, visible

ACROSS = 3  # panels beside each other
NAME, TAIL = 30, 9  # letters that are shown of a name, and of those at its end, where runs have their seed
ALONE = 48  # letters of a name beside a single panel
LETTER, GAP = 0.073, 0.2  # inches: a letter of a title or name, and what is between panels
ROW, FRAME = 0.21, 0.75  # inches: a row of dots, and what a panel has above and below them
POINTS, TOGETHER, FEW = 80, 800, 12  # most points of a curve, and of the curves of a figure; that are all drawn
HEIGHT, LABEL = 2.4, 0.14  # inches: least height of a figure of curves, and of a label at the end of a curve
BETTER = {"higher": "better →", "lower": "← better", "neither": ""}


@dataclass(frozen=True)
class Dot:
    """A row: name, colour class, value and interval (None where there is none)."""

    label: str
    css: str
    value: float
    low: float | None = None
    high: float | None = None


def dot_of(name: str, row: Mapping[str, Any], scale: float = 1, css: str = "") -> Dot:
    """The dot of a value with an interval, if it has one; without ``css``, its colour is that of the arm ``name``."""
    value, low, high = (None if row.get(end) is None else scale * row[end] for end in ("value", "low", "high"))
    assert value is not None
    return Dot(name, css or arm_class(name), value, low, high)


@dataclass(frozen=True)
class Panel:
    """Rows on an axis of their own.

    Attributes:
        title: empty if the figure's title is enough.
        unit: of the axis.
        better: direction: ``higher``, ``lower`` or ``neither``.
        zero: the axis holds a line at 0.
    """

    title: str
    unit: str
    dots: Sequence[Dot]
    better: str = "neither"
    zero: bool = False


@dataclass(frozen=True)
class Curve:
    """Label at its end, colour class, and x, y and the band around y (empty for none), all of the same length."""

    label: str
    css: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """What the axes of curves are, with units; whether x is logarithmic, and its ticks as position and text."""

    x: str
    y: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()


def dot_figure(name: str, title: str, alt: str, panels: Sequence[Panel]) -> Figure:
    """Small multiples of rows with values and intervals. All panels have the same names, in the order in which they
    first occur."""
    names = list(dict.fromkeys(dot.label for panel in panels for dot in panel.dots))
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    rows = [
        (panel.title, panel.unit, panel.better if BETTER[panel.better] else "", dot.label, dot.value, dot.low, dot.high)
        for panel in panels
        for dot in panel.dots
    ]

    beside = LETTER * min(NAME, max(map(len, names), default=0))
    wide = max(12, int(((PAGE - beside) / across - GAP) / LETTER))

    def draw(canvas: Canvas) -> None:
        grid = canvas.subplots(down, across, squeeze=False, sharey=True)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _dots(axes, panel, names, across, wide)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()

    titles = max(len(_wrapped(panel.title, wide).splitlines()) for panel in panels)
    height = down * (ROW * len(names) + FRAME + 0.16 * titles)  # a unit may need a second line, too
    columns = ("panel", "unit", "better", "name", "value", "low", "high")
    return Figure(name, title, alt, columns, rows, draw, (PAGE, height))


def _dots(axes: Axes, panel: Panel, names: Sequence[str], across: int, wide: int) -> None:
    if panel.zero:
        axes.axvline(0, color=COLOURS["soft"], linewidth=1)
    for dot in panel.dots:
        at, drawn = names.index(dot.label), colour(dot.css)
        if dot.low is not None and dot.high is not None:
            axes.plot([dot.low, dot.high], [at, at], color=drawn, linewidth=2, solid_capstyle="round")
        # A short line with round ends: a marker would be defined in the file once for each dot.
        (mark,) = axes.plot([dot.value, dot.value], [at, at], color=drawn, linewidth=5, solid_capstyle="round")
        interval = "" if dot.low is None or dot.high is None else f" [{plain(dot.low)}, {plain(dot.high)}]"
        tip(mark, f"{dot.label}: {plain(dot.value)}{interval}")
    axes.set_yticks(range(len(names)), [shortened(name, ALONE if across == 1 else NAME) for name in names])
    axes.tick_params(axis="y", colors=COLOURS["ink"])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(True, axis="x")
    axes.locator_params(axis="x", nbins=4 if across > 1 else 7)
    axes.spines["left"].set_visible(False)
    axes.set_title(_wrapped(panel.title, wide))
    axes.set_xlabel(_wrapped(", ".join(filter(None, (panel.unit, BETTER[panel.better]))), wide))


def _wrapped(title: str, wide: int) -> str:
    return "\n".join(textwrap.wrap(visible(title), wide))


def shortened(name: str, most: int = NAME) -> str:
    """A name that fits beside a drawing: beginning and end of a longer one."""
    name = visible(name)
    return name if len(name) <= most else f"{name[: most - 1 - TAIL]}…{name[-TAIL:]}"


def curve_figure(name: str, title: str, alt: str, axis: Axis, curves: Sequence[Curve]) -> Figure | None:
    """Curves with labels at their ends and bands, or None if no point is finite.

    Args:
        curves: at most 80 points are drawn of each, of many curves fewer, but 12: means of equal consecutive groups, so
            that no spike is invented.
    """
    most = min(POINTS, max(FEW, TOGETHER // max(1, len(curves))))
    kept = [thin for curve in curves if (thin := _thinned(curve, most)).x]
    if not kept:
        return None
    rows = [
        (curve.label, x, y, *((curve.low[at], curve.high[at]) if curve.low else (None, None)))
        for curve in kept
        for at, (x, y) in enumerate(zip(curve.x, curve.y, strict=True))
    ]
    height = max(HEIGHT, LABEL * len(kept) + 0.8)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        if axis.log:
            axes.set_xscale("log")
        for at, curve in enumerate(kept):
            _curve(axes, curve, at)
        if axis.ticks:
            axes.set_xticks([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
            axes.minorticks_off()
        axes.set(xlabel=axis.x, ylabel=axis.y)
        _label_ends(axes, kept, LABEL / (height - 0.8))

    return Figure(name, title, alt, ("curve", axis.x, axis.y, "low", "high"), rows, draw, (0.68 * PAGE, height))


def _curve(axes: Axes, curve: Curve, at: int) -> None:
    drawn = colour(curve.css)
    mark = {"marker": MARKERS[(at + at // len(DASHES)) % len(MARKERS)], "markersize": 4} if len(curve.x) <= FEW else {}
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=drawn, alpha=0.18, linewidth=0)
    (line,) = axes.plot(curve.x, curve.y, color=drawn, linestyle=DASHES[at % len(DASHES)], **mark)
    tip(line, curve.label)


def _label_ends(axes: Axes, curves: Sequence[Curve], least: float) -> None:
    """Labels to the right of the axes, at least ``least`` of their height apart, in the order of the curves' ends."""
    axes.margins(x=0)
    axes.autoscale_view()  # before positions are taken
    order = sorted(curves, key=lambda curve: curve.y[-1])
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [to_axes.transform((curve.x[-1], curve.y[-1])) for curve in order]
    for curve, (at, end), shown in zip(order, ends, spread([end for _, end in ends], least), strict=True):
        if at < 0.99 or abs(shown - end) > least / 4:
            leader = {"color": COLOURS["soft"], "linewidth": 0.5, "transform": axes.transAxes}
            axes.plot([at + 0.01, 1.04], [end, shown], **leader)
        named = shortened(curve.label)
        axes.text(1.05, shown, named, color=colour(curve.css), va="center", fontsize=8, transform=axes.transAxes)


def spread(ends: Sequence[float], least: float) -> list[float]:
    """Sorted positions moved as little as needed to be ``least`` apart; the mean of each group that moves stays."""
    groups: list[list[float]] = []
    for end in ends:
        groups.append([end])
        while len(groups) > 1 and _bottom(groups[-2], least) + least * len(groups[-2]) > _bottom(groups[-1], least):
            last = groups.pop()
            groups[-1] += last
    return [_bottom(group, least) + least * at for group in groups for at in range(len(group))]


def _bottom(group: Sequence[float], least: float) -> float:
    return math.fsum(group) / len(group) - least * (len(group) - 1) / 2


def _thinned(curve: Curve, most: int) -> Curve:
    """The finite points of a curve, as means of equal consecutive groups if there are more than ``most``."""
    columns = [values for values in (curve.x, curve.y, curve.low, curve.high) if values]
    points = [point for point in zip(*columns, strict=True) if math.isfinite(point[1])]
    size = max(1, math.ceil(len(points) / most))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = [[math.fsum(values) / len(values) for values in zip(*group, strict=True)] for group in groups]
    return Curve(curve.label, curve.css, *zip(*means, strict=True)) if means else replace(curve, x=(), y=())
