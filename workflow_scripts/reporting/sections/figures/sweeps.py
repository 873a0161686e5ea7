"""Scores over the values of swept settings."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workflow_scripts.reporting.drawings import Axis, Curve, curve_figure
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.headline import FAMILIES, Estimate, arms
from workflow_scripts.reporting.study import Study
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.text import arm_class, words

KIND = ("method", "pairs", "augmentation", "tag")
WIDE_RANGE = 20  # largest by smallest value above which an axis is logarithmic
Values = Mapping[str, Any]


class Point(NamedTuple):
    """Runs of a point of a sweep, but for their seeds: what they share with others, swept values, and scores."""

    parts: tuple[str, ...]  # method, pairs, augmentation, own tag, backbone
    values: Values
    scores: Mapping[str, Estimate | None]


def sweeps(study: Study) -> list[Figure]:
    """For each set of swept settings and each kind of score, a figure over the setting with the most values."""
    summary = study.one("summary")
    if summary is None or not study.settings.sweeps:
        return []
    swept = {
        tuple(row[name] for name in KIND): study.settings.sweeps[run]
        for run, row in study.runs.items()
        if run in study.settings.sweeps
    }
    groups: dict[tuple[str, ...], list[Point]] = {}
    for arm in arms(study.table(summary), study.settings.headline_step):
        found = swept.get((arm.method, arm.pairs, arm.augmentation, arm.tag))
        if found is not None:
            backbone = "" if "backbone" in found.values else arm.backbone
            parts = (arm.method, arm.pairs, arm.augmentation, found.tag, backbone)
            groups.setdefault(tuple(sorted(found.values)), []).append(Point(parts, found.values, arm.estimates))
    drawn = [figure(keys, points, name) for keys, points in groups.items() for name in FAMILIES]
    return [one for one in drawn if one is not None]


def figure(keys: Sequence[str], points: Sequence[Point], family: str) -> Figure | None:
    """Scores over the setting with the most values; other swept settings and parts that differ label the curves."""
    setting = max(keys, key=lambda key: len({_text(point.values[key]) for point in points}))
    known = {_text(point.values[setting]): point.values[setting] for point in points}
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known.values())
    order = sorted(known, key=lambda text: known[text]) if numbers else list(known)
    places = {text: float(known[text]) if numbers else float(at) for at, text in enumerate(order)}
    if len(places) < 2:
        return None
    curves: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        others = (f"{words(key)} {_text(point.values[key])}" for key in keys if key != setting)
        curves.setdefault((*point.parts, *others), []).append(point)
    differing = [len(set(column)) > 1 for column in zip(*curves, strict=True)]
    drawn = []
    for parts, found in curves.items():
        label = " ".join(
            part for part, differs in zip(parts, differing, strict=True) if differs and part not in ("", "none")
        )
        drawn.append(_curve(label or parts[1], found, setting, places, family))
    title = f"{FAMILIES[family]} over {words(setting)}"
    low, high = min(places.values()), max(places.values())
    ticks = [(place, text) for text, place in places.items()][:: math.ceil(len(places) / 8)]  # at most about eight
    axis = Axis(words(setting), f"{FAMILIES[family]}, %", numbers and 0 < WIDE_RANGE * low < high, ticks)
    alt = f"{title}, for {', '.join(curve.label for curve in drawn)}; bands are intervals over seeds."
    return curve_figure(stem(f"sweep {' '.join(keys)} {family}".lower()), title, alt, axis, drawn)


def _curve(label: str, points: Sequence[Point], setting: str, places: Mapping[str, float], family: str) -> Curve:
    at = {places[_text(point.values[setting])]: point.scores[family] for point in points}
    rows = [(x, score.value, *_over_seeds(score)) for x in sorted(at) if (score := at[x]) is not None]
    x, y, low, high = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    y, low, high = ([100 * value for value in values] for values in (y, low, high))
    css = arm_class(points[0].parts[1])
    return Curve(label, css, x, y, low, high) if any(map(math.isfinite, low)) else Curve(label, css, x, y)


def _over_seeds(score: Estimate) -> tuple[float, float]:
    """The interval, if it is one over seeds."""
    if score.kind != "seeds" or score.low is None or score.high is None:
        return math.nan, math.nan
    return score.low, score.high


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
