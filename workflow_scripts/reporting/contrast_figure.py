"""The figure of a contrast: scores of both sides with floor and ceiling, and the differences with joint intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from workflow_scripts.reporting.charts import ticks

# Narrow enough for a phone: the name of a line is above its dots.
WIDTH, ROW, TOP, FOOT = 440, 42, 16, 24
SCORES, DIFFERENCES = (4.0, 206.0), (234.0, 436.0)


@dataclass(frozen=True)
class Line:
    """One comparison under one measure.

    Attributes:
        label: what it is.
        css: colour class of the first side.
        plus, minus: scores of the runs of both sides, as shares; drawn filled and hollow.
        floors, ceilings: scores of what bounds them, by name.
        difference: with its joint interval, as shares; None where there is none.
    """

    label: str
    css: str
    plus: Sequence[float]
    minus: Sequence[float]
    floors: Sequence[tuple[str, float]]
    ceilings: Sequence[tuple[str, float]]
    difference: float
    low: float | None
    high: float | None


class _Scale:
    """From per cent to drawing units, within a panel."""

    def __init__(self, panel: tuple[float, float], values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        margin = (high - low) * 0.08 or 1.0
        self.panel, self.low, self.high = panel, low - margin, high + margin

    def x(self, value: float) -> str:
        left, right = self.panel
        return f"{left + (right - left) * (value - self.low) / (self.high - self.low):.1f}"


def contrast_figure(lines: Sequence[Line], title: str) -> Markup:
    """Rows of dots, as SVG: on the left scores in %, on the right differences in points with the zero line."""
    bounds = [value for line in lines for _, value in (*line.floors, *line.ceilings)]
    scores = [100 * value for line in lines for value in (*line.plus, *line.minus)] + [100 * one for one in bounds]
    ends = [100 * end for line in lines for end in (line.difference, line.low, line.high, 0.0) if end is not None]
    left, right = _Scale(SCORES, scores or [0.0, 100.0]), _Scale(DIFFERENCES, ends)
    height = TOP + ROW * len(lines) + FOOT
    parts = [
        '<text class="label" x="0" y="12">score, %</text>',
        f'<text class="label" x="{DIFFERENCES[0]:g}" y="12">difference, points</text>',
        *(_axis(scale, height - FOOT) for scale in (left, right)),
        *(_row(line, TOP + ROW * (at + 1) - 12, left, right) for at, line in enumerate(lines)),
    ]
    head = f'<svg class="contrast" viewBox="0 0 {WIDTH} {height}" role="img"><title>{escape(title)}</title>'
    return Markup(f"{head}{''.join(parts)}</svg>")


def _row(line: Line, y: float, left: _Scale, right: _Scale) -> str:
    parts = [f'<text class="name" x="0" y="{y - 13:.1f}">{escape(line.label)}</text>']
    zero = right.x(0)
    parts.append(f'<line class="zero" x1="{zero}" x2="{zero}" y1="{y - 9:.1f}" y2="{y + 9:.1f}"/>')
    for css, bounds in (("floor", line.floors), ("ceiling", line.ceilings)):
        for name, value in bounds:
            x = left.x(100 * value)
            mark = f'<line class="{css}" x1="{x}" x2="{x}" y1="{y - 9:.1f}" y2="{y + 9:.1f}">'
            parts.append(f"{mark}<title>{escape(name)}: {100 * value:.1f}</title></line>")
    for css, values in (("dot", line.plus), ("dot hollow", line.minus)):
        for value in values:
            dot = f'<circle class="{css}" cx="{left.x(100 * value)}" cy="{y:.1f}" r="4">'
            parts.append(f"{dot}<title>{100 * value:.1f}</title></circle>")
    if line.low is not None and line.high is not None:
        low, high = right.x(100 * line.low), right.x(100 * line.high)
        parts.append(f'<line class="whisker" x1="{low}" x2="{high}" y1="{y:.1f}" y2="{y:.1f}"/>')
    shape = "dot" if line.low is not None else "dot hollow"
    parts.append(f'<circle class="{shape}" cx="{right.x(100 * line.difference)}" cy="{y:.1f}" r="4"/>')
    return f'<g class="{escape(line.css)}">{"".join(parts)}</g>'


def _axis(scale: _Scale, y: float) -> str:
    marks = []
    for tick in ticks(scale.low, scale.high):
        x, text = scale.x(tick), f"{tick:g}".replace("-", "−")
        marks.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>')
        marks.append(f'<text class="label" x="{x}" y="{y + 16}" text-anchor="middle">{text}</text>')
    return "".join(marks)
