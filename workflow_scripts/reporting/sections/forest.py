"""Forest plots of contrasts: differences with their intervals, all on one axis."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from workflow_scripts.reporting.drawing.style import colour
from workflow_scripts.reporting.figures import Figure, tip
from workflow_scripts.reporting.text import cut, visible

WIDTH, HEIGHT, ROOM = 5.2, 0.34, 0.55  # inches: of the figure, of a row, and of the axis below
LONGEST = 72  # characters of a name that fit
COLUMNS = ("contrast", "difference", "low", "high", "primary")


class Line(NamedTuple):
    """A contrast: its name, and its difference with the ends of its interval, in points.

    Attributes:
        low, high: None without an interval, which is drawn as a hollow circle.
        primary: whether it has a verdict; others are lighter.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    primary: bool


def forest(name: str, title: str, lines: Sequence[Line], unit: str = "difference, points") -> Figure:
    """The figure; names stand above their lines, so that they fit on a phone."""
    told = ", ".join(f"{line.name} {line.value:+.1f}" for line in lines[:3]).replace("-", "−")
    alt = f"Differences with 95 % intervals and the line of no difference, of {len(lines)} contrasts: {told}"
    rows = [(line.name, line.value, line.low, line.high, "yes" if line.primary else "no") for line in lines]

    def on(canvas: Canvas) -> None:
        draw(canvas.add_subplot(), lines, unit)

    more = ", …" if len(lines) > 3 else ""
    return Figure(name, title, f"{alt}{more}.", COLUMNS, rows, on, (WIDTH, HEIGHT * len(lines) + ROOM))


def draw(axes: Axes, lines: Sequence[Line], unit: str) -> None:
    """The lines from top to bottom: filled diamonds are primary, circles exploratory, hollow ones without interval."""
    axes.axvline(0, color=colour("soft"), linewidth=1, linestyle=(0, (4, 2)))
    for at, line in enumerate(lines):
        shade, marker = (colour("ink"), "D") if line.primary else (colour("soft"), "o")
        known = line.low is not None and line.high is not None
        if known:
            width = 2.2 if line.primary else 1.2
            axes.plot([line.low, line.high], [at, at], color=shade, linewidth=width, solid_capstyle="butt")
        face = shade if known else colour("card")
        (drawn,) = axes.plot(
            line.value, at, marker, color=shade, markerfacecolor=face, markersize=6 if line.primary else 5
        )
        tip(drawn, f"{line.name}: {line.value:+.1f}".replace("-", "−"))
        weight = "bold" if line.primary else "normal"
        shown = cut(visible(line.name), LONGEST)
        axes.text(
            0,
            at - 0.28,
            shown,
            transform=axes.get_yaxis_transform(),
            fontweight=weight,
            color=shade,
            fontsize=8,
            bbox={"facecolor": colour("card"), "linewidth": 0, "pad": 1},  # above the line of no difference
        )
    axes.set_ylim(len(lines) - 0.5, -0.85)
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit)
