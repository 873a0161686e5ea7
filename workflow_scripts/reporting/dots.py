"""Values with intervals as rows of dots, one chart of a figure; inline SVG, coloured by the page's style sheet."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from workflow_scripts.reporting.charts import ticks

WIDTH, ROW, TOP, FOOT = 420, 20, 4, 22
NAMES, LEFT, RIGHT = 27, 182.0, 410.0  # letters of a name that fit, and the ends of the axis
TAIL = 9  # letters that are kept at the end of a longer name, where runs have their seed


class Dot(NamedTuple):
    """One row: name, colour class, value and interval (None where there is none)."""

    label: str
    css: str
    value: float
    low: float | None
    high: float | None


def dots(rows: Sequence[Dot], title: str, text: str) -> Markup:
    """A chart of the rows, from top to bottom; ``text`` describes the axis."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    low, high = low - margin, high + margin
    bottom = TOP + ROW * len(rows)

    def x(value: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * (value - low) / (high - low):.1f}"

    parts = []
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
