"""The block of each named contrast on the page: a sentence, a figure and a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from workflow_scripts.core.declaration.result_names import CHANCE, MEAN, SUPERVISED, UNTRAINED
from workflow_scripts.reporting.charts import ticks
from workflow_scripts.reporting.sections.contrasts import Named, Shown, sentence, shown_p, title
from workflow_scripts.reporting.sections.headline import headline_step
from workflow_scripts.reporting.study import Number, Source
from workflow_scripts.reporting.text import arm_class

# Narrow enough for a phone: the name of a line is above its dots.
WIDTH, ROW, TOP, FOOT = 440, 42, 16, 24
SCORES, DIFFERENCES = (4.0, 206.0), (234.0, 436.0)
Row = dict[str, Any]
SALIENCY_FLOORS = (CHANCE, "centre_gaussian", "mean_mask")


@dataclass(frozen=True)
class Line:
    """One comparison under one measure.

    Attributes:
        label: what it is.
        css: colour class of the first side.
        plus, minus: scores of the runs of both sides, as shares; drawn filled and hollow.
        floors, ceilings: scores of what bounds them, by name.
        difference: with its interval; None where there is none.
        scale: from a difference to the unit of the axis, 100 for shares.
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
    scale: float = 100.0


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
    """Rows of dots, as SVG: on the left scores in %, on the right differences with the zero line."""
    bounds = [value for line in lines for _, value in (*line.floors, *line.ceilings)]
    scores = [100 * value for line in lines for value in (*line.plus, *line.minus)] + [100 * one for one in bounds]
    ends = [line.scale * end for line in lines for end in (line.difference, line.low, line.high, 0) if end is not None]
    unit = ", points" if all(line.scale == 100 for line in lines) else ""
    left, right = _Scale(SCORES, scores or [0.0, 100.0]), _Scale(DIFFERENCES, ends)
    height = TOP + ROW * len(lines) + FOOT
    parts = [
        '<text class="label" x="0" y="12">score, %</text>',
        f'<text class="label" x="{DIFFERENCES[0]:g}" y="12">difference{unit}</text>',
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
        low, high = right.x(line.scale * line.low), right.x(line.scale * line.high)
        parts.append(f'<line class="whisker" x1="{low}" x2="{high}" y1="{y:.1f}" y2="{y:.1f}"/>')
    shape = "dot" if line.low is not None else "dot hollow"
    parts.append(f'<circle class="{shape}" cx="{right.x(line.scale * line.difference)}" cy="{y:.1f}" r="4"/>')
    return f'<g class="{escape(line.css)}">{"".join(parts)}</g>'


def _axis(scale: _Scale, y: float) -> str:
    marks = []
    for tick in ticks(scale.low, scale.high):
        x, text = scale.x(tick), f"{tick:g}".replace("-", "−")
        marks.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>')
        marks.append(f'<text class="label" x="{x}" y="{y + 16}" text-anchor="middle">{text}</text>')
    return "".join(marks)


class Cited(NamedTuple):
    """The contrasts' file, and the summary's list of the files behind each of its rows."""

    source: Source
    origins: Row

    def files(self, at: int) -> str:
        """Behind row `at` of the contrasts: the first file by name and how many there are."""
        files = self.origins["contrasts"][at]
        first = self.origins["files"][files[0]]["file"] if files else "none"
        return f"made from {len(files)} files: {first}{', …' if len(files) > 1 else ''}"


class Scores:
    """The summary's values by checkpoint, set and metric."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        references = {
            row["run"]: (row["method"], row["backbone"]) for row in rows if row["method"] in (UNTRAINED, SUPERVISED)
        }
        self._references = {f"{run}.{headline_step(rows, run, 'last')}": which for run, which in references.items()}
        self._of: dict[str, list[Row]] = {}
        for row in rows:
            self._of.setdefault(f"{row['run']}.{row['step']}", []).append(row)
        self._css = {f"{row['run']}.{row['step']}": arm_class(row["pairs"]) for row in rows}

    def of(self, checkpoints: str, row: Row) -> list[float]:
        """Values of checkpoints, separated by spaces, on the set and metric of a contrast's row."""
        found = (self._value(one, row) for one in checkpoints.split())
        return [value for value in found if value is not None and math.isfinite(value)]

    def _value(self, checkpoint: str, row: Row) -> float | None:
        """The value of a checkpoint; a mean is over the sets of the contrast's, which may leave one out."""
        rows = self._of.get(checkpoint, [])
        keys = ("dataset", "metric", *(["chosen_on"] if row["dataset"] == MEAN else []))
        found = [one["value"] for one in rows if all(one[key] == row[key] for key in keys)]
        if row["dataset"] == MEAN and not found:
            out = (MEAN, row["chosen_on"])
            found = [one["value"] for one in rows if _kind(one) == _kind(row) and one["dataset"] not in out]
        return None if not found or None in found else math.fsum(found) / len(found)

    def css(self, checkpoints: str) -> str:
        """Colour class of the first checkpoint."""
        return self._css.get(checkpoints.partition(" ")[0], "arm-other")

    def bounds(self, method: str, row: Row) -> list[tuple[str, float]]:
        """Mean of a reference's runs with the backbone, set and metric of a contrast's row, if there are any.

        They are at their last checkpoint, as in contrasts. Of a row across backbones, each has its own mean.
        """
        backbones = row["backbone"].split(" vs ")
        found = []
        for backbone in backbones:
            alike = (one for one, which in self._references.items() if which == (method, backbone))
            values = self.of(" ".join(alike), row)
            if values:
                name = method if len(backbones) == 1 else f"{method} ({backbone})"
                found.append((name, math.fsum(values) / len(values)))
        return found

    def saliency_floors(self, row: Row) -> list[tuple[str, float]]:
        """What maps that do not look at the image score, if the row is of saliency."""
        kind, _, rest = row["metric"].partition(".")
        if kind != "saliency":
            return []
        metrics = {f"saliency.{name}.{rest.partition('.')[2]}": name for name in SALIENCY_FLOORS}
        found = {
            metrics[one["metric"]]: one["value"]
            for one in self.rows
            if one["metric"] in metrics and all(one[key] == row[key] for key in ("dataset", "chosen_on"))
        }
        return [(name.replace("_", " "), value) for name, value in found.items()]


def blocks(contrasts: Sequence[Named], rows: Sequence[Row], cited: Cited) -> list[Row]:
    """What the template takes for each contrast; `rows` are those of the summary."""
    scores = Scores(rows)
    return [
        {
            "name": title(contrast.name),
            "css": scores.css(contrast.shown[0].row["plus"]),
            "expected": "above" if contrast.expected > 0 else "below",
            "sentence": sentence(contrast),
            "figure": contrast_figure(
                [_line(one, scores) for one in contrast.shown if one.row["difference"] is not None],
                title(contrast.name),
            ),
            "lines": [_table_line(one, cited) for one in contrast.shown],
        }
        for contrast in contrasts
    ]


def _line(one: Shown, scores: Scores) -> Line:
    row = one.row
    return Line(
        label=": ".join(filter(None, (one.where, one.measure.title))),
        css=scores.css(row["plus"]),
        plus=scores.of(row["plus"], row),
        minus=scores.of(row["minus"], row),
        floors=[*scores.bounds(UNTRAINED, row), *scores.saliency_floors(row)],
        ceilings=scores.bounds(SUPERVISED, row),
        difference=row["difference"],
        low=row["low"],
        high=row["high"],
        scale=one.measure.scale,
    )


def _kind(row: Row) -> str:
    """What was measured, without how each set averages it."""
    metric = str(row["metric"])
    return metric if metric.startswith("saliency.") else metric.rpartition(".")[0]


def _set_of(row: Row) -> str:
    if row["dataset"] != MEAN:
        return str(row["dataset"])
    return f"mean over sets without {row['chosen_on']}" if row["chosen_on"] else "mean over sets"


def _table_line(one: Shown, cited: Cited) -> Mapping[str, Any]:
    row = one.row
    where = f"row {one.at} ({row['metric']}, {row['level']}), {cited.files(one.at)}"
    seeds = f"{row['n']} images" if row["level"] == "image" else row["n"]
    return {
        "where": one.where,
        "measure": one.measure.title,
        "dataset": _set_of(row),
        "number": Number(one.measure.shown(row["difference"]), one.interval, cited.source, where),
        "seeds": f"{seeds}, {row['arms']} arms" if row["arms"] else seeds,
        "p": shown_p(row["p"]),
        "p_adjusted": shown_p(row["p_adjusted"]),
        "detectable": one.least,
        "verdict": row["verdict"],
        "reason": row["reason"],
    }
