"""Small charts as inline SVG, coloured by the page's style sheet, so that they follow light, dark and print."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, ROW, TOP, FOOT = 420, 20, 4, 22
NAMES, LEFT, RIGHT = 27, 182.0, 410.0  # letters of a name that fit, and the ends of the axis
TAIL = 9  # letters that are kept at the end of a longer name, where runs have their seed


@dataclass(frozen=True)
class Line:
    """One curve: label for the pointer, CSS class, x and y of the same length."""

    label: str
    css: str
    x: Sequence[float]
    y: Sequence[float]


def _f(value: float) -> str:
    """A coordinate as text, with one decimal."""
    return f"{value:.1f}"


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) inside [low, high], about `wanted` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def stacked(parts: Sequence[tuple[str, int, str]], total: int) -> Markup:
    """One horizontal bar of (label, count, css) parts; `total` is the whole width."""
    out, at = [], 0.0
    for label, number, css in parts:
        width = 1000.0 * number / total if total else 0.0
        title = f"<title>{escape(label)}: {number}</title>"
        out.append(f'<rect class="{escape(css)}" x="{_f(at)}" y="0" width="{_f(width)}" height="14">{title}</rect>')
        at += width
    return Markup(f'<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img">{"".join(out)}</svg>')


def thin(x: Sequence[float], y: Sequence[float], most: int = 120) -> tuple[list[float], list[float]]:
    """At most `most` points: means of equal consecutive groups, so that no spike is invented or cut to a level."""
    size = max(1, math.ceil(len(x) / most))
    groups = range(0, len(x), size)
    return (
        [math.fsum(x[g : g + size]) / len(x[g : g + size]) for g in groups],
        [math.fsum(y[g : g + size]) / len(y[g : g + size]) for g in groups],
    )


def lines(curves: Sequence[Line], y_label: str, x_label: str, scale: float = 1.0) -> Markup:
    """Curves over a common x axis, values times `scale`; points that are not finite are left out."""
    kept = [_finite(curve, scale) for curve in curves]
    kept = [curve for curve in kept if curve.x]
    if not kept:
        return Markup("")
    xs = [at for curve in kept for at in curve.x]
    ys = [at for curve in kept for at in curve.y]
    box = _Box(min(xs), max(xs), min(ys), max(ys))
    drawn = "".join(_curve(curve, box) for curve in kept)
    labels = (
        f'<text class="label" x="{_Box.left}" y="12">{escape(y_label)}</text>'
        f'<text class="label" x="{_Box.right}" y="{_Box.height - 4}" text-anchor="end">{escape(x_label)}</text>'
    )
    head = f'<svg class="chart" viewBox="0 0 {_Box.width} {_Box.height}" role="img"><title>{escape(y_label)}</title>'
    return Markup(f"{head}{_grid(box)}{drawn}{labels}</svg>")


def _finite(curve: Line, scale: float) -> Line:
    points = [(x, y * scale) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    x, y = thin([p[0] for p in points], [p[1] for p in points])
    return Line(curve.label, curve.css, x, y)


class _Box:
    """From data to drawing units."""

    width, height, left, right, top, bottom = 360, 204, 40, 346, 22, 170

    def __init__(self, x0: float, x1: float, y0: float, y1: float) -> None:
        margin = (y1 - y0) * 0.06 or abs(y1) * 0.05 or 1.0
        self.x0, self.x1 = x0, x1 if x1 > x0 else x0 + 1.0
        self.y0, self.y1 = y0 - margin, y1 + margin

    def x(self, at: float) -> float:
        return self.left + (self.right - self.left) * (at - self.x0) / (self.x1 - self.x0)

    def y(self, at: float) -> float:
        return self.bottom - (self.bottom - self.top) * (at - self.y0) / (self.y1 - self.y0)


def _curve(curve: Line, box: _Box) -> str:
    """A polyline; of a single point, a dot."""
    points = [(_f(box.x(x)), _f(box.y(y))) for x, y in zip(curve.x, curve.y, strict=True)]
    title = f"<title>{escape(curve.label)}</title>"
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle class="point {escape(curve.css)}" cx="{x}" cy="{y}" r="3">{title}</circle>'
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline class="curve {escape(curve.css)}" points="{path}">{title}</polyline>'


def _grid(box: _Box) -> str:
    out = []
    for tick in ticks(box.y0, box.y1):
        y = box.y(tick)
        out.append(f'<line class="grid" x1="{box.left}" x2="{box.right}" y1="{_f(y)}" y2="{_f(y)}"/>')
        out.append(f'<text class="label" x="{box.left - 5}" y="{_f(y + 3.5)}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(box.x0, box.x1):
        x = _f(box.x(tick))
        out.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{box.bottom}" y2="{box.bottom + 4}"/>')
        out.append(f'<text class="label" x="{x}" y="{box.bottom + 16}" text-anchor="middle">{tick:g}</text>')
    return "".join(out)


class Dot(NamedTuple):
    """One row: name, colour class, value and interval (None where there is none)."""

    label: str
    css: str
    value: float
    low: float | None
    high: float | None


def dots(rows: Sequence[Dot], title: str, text: str, zero: bool = False) -> Markup:
    """A chart of the rows, from top to bottom; ``text`` describes the axis, which holds 0 if ``zero``."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None] + [0.0] * zero
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    low, high = low - margin, high + margin
    bottom = TOP + ROW * len(rows)

    def x(value: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * (value - low) / (high - low):.1f}"

    parts = [f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="{TOP}" y2="{bottom}"/>'] if zero else []
    for tick in ticks(low, high):
        at, shown = x(tick), f"{tick:g}".replace("-", "−")
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="label" x="{at}" y="{bottom + 15}" text-anchor="middle">{shown}</text>')
    for place, row in enumerate(rows):
        y = f"{TOP + ROW * (place + 0.5):.1f}"
        name = row.label if len(row.label) <= NAMES else f"{row.label[: NAMES - 1 - TAIL]}…{row.label[-TAIL:]}"
        mark = f'<text class="name" x="0" y="{float(y) + 4:.1f}">{escape(name)}</text>'
        if row.low is not None and row.high is not None:
            mark += f'<line class="whisker" x1="{x(row.low)}" x2="{x(row.high)}" y1="{y}" y2="{y}"/>'
        mark += f'<circle class="dot" cx="{x(row.value)}" cy="{y}" r="4"><title>{escape(row.label)}</title></circle>'
        parts.append(f'<g class="{escape(row.css)}">{mark}</g>')
    head = f'<svg class="chart dots" viewBox="0 0 {WIDTH} {bottom + FOOT}" role="img">'
    return Markup(f"{head}<title>{escape(title)}, {escape(text)}</title>{''.join(parts)}</svg>")
