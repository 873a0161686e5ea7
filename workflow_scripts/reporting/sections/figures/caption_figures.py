"""Figures of captions by group: small multiples, and one table with the differences to the original captions."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from workflow_scripts.reporting.drawings import Panel, dot_figure, dot_of
from workflow_scripts.reporting.figures import Figure as Drawing
from workflow_scripts.reporting.study import ENDS, Number, Source, Study, number_of
from workflow_scripts.reporting.tables import Table, stem
from workflow_scripts.reporting.text import arm_class, percent, plain, points

Row = dict[str, Any]
JUDGED = {
    "judge_score": "mean",
    "judge_score_centred": "mean_centred",
    "judge_above_random": "above_random_image",
}
"""Figure -> what `judge_quality` calls it."""
DIRECTIONS = {"higher": "Higher is better.", "lower": "Lower is better.", "neither": ""}


class Figure(NamedTuple):
    """A figure by arm, and where it is from: `place` is that of an arm's value in the file."""

    name: str
    values: Row
    place: str
    source: Source


def caption_figures(study: Study, explained: Mapping[str, Row]) -> Row:
    """Groups of figures in the order of ``explained``, and the arms; none if the study did not compare its arms.

    Args:
        explained: what readers are told of each figure: its ``group``, ``title``, ``unit``, which direction is
            ``better``, and a ``summary``.
    """
    artifact = study.one("caption_comparison")
    if artifact is None:
        return {"groups": []}
    found, source = study.json(artifact), study.source(artifact, ".json")
    arms = found["arms"]
    figures = [Figure(name, values, f"figures.{name}.{{}}", source) for name, values in found["figures"].items()]
    figures += _judged(study)
    scored = {arm for figure in figures if figure.name.startswith("judge_score.") for arm in figure.values}
    rows = [
        _row(figure, explained[known], arms, scored)
        for known in explained
        for figure in figures
        if figure.name.partition(".")[0] == known and figure.values
    ]
    groups = [(group, list(some)) for group, some in groupby(rows, key=lambda row: row["group"])]
    return {
        "groups": [(group, some, _figure(group, some)) for group, some in groups],
        "reference": found["reference"],
        "arms": [(arm, arm_class(arm)) for arm in arms],
        "table": _table(groups, arms, found["reference"]),
    }


def _figure(group: str, rows: list[Row]) -> Drawing:
    titles = ", ".join(row["title"] for row in rows)
    alt = f"Mean and 95 % interval of each arm's captions: {titles}."
    panels = [row["panel"] for row in rows]
    return dot_figure(stem(f"captions {group.lower()}"), f"Captions: {group.lower()}", alt, panels)


def _table(groups: list[tuple[str, list[Row]]], arms: list[str], reference: str) -> Table:
    """All figures, and below each its difference from the reference arm."""
    lines = []
    for _, rows in groups:
        for row in rows:
            lines.append([f"{row['title']}, {row['unit']}", *(own.shown for own, _ in row["cells"])])
            if any(difference for _, difference in row["cells"]):
                differences = [difference.shown if difference else "" for _, difference in row["cells"]]
                lines.append([f"minus {reference}", *differences])
    return Table("captions", "Captions of each arm: means with 95 % intervals", ["measure", *arms], lines)


def _judged(study: Study) -> Iterator[Figure]:
    """Figures of each score of each judge, for the arms of which it scored a caption."""
    for judge in study.all("judge_quality"):
        found, source = study.json(judge), study.source(judge, ".json")
        for score in dict.fromkeys(score for of_arm in found.values() for score in of_arm):
            for name, own in JUDGED.items():
                values = {arm: of_arm[score][own] for arm, of_arm in found.items() if of_arm[score][own]["n"]}
                yield Figure(f"{name}.{judge.name} {score}", values, f"{{}}.{score}.{own}", source)


def _row(figure: Figure, said: Row, arms: list[str], scored: set[str]) -> Row:
    """A figure of all arms; where the matcher's score is unknown, whether no judge has `scored` the arm either."""
    name, values, place, source = figure
    share, unit = said["unit"].startswith("share"), said["unit"].replace("share", "%", 1)
    if share:  # Student's t can leave 0..1
        values = {arm: row | {end: _share(row[end]) for end in ENDS} for arm, row in values.items()}
    model = name.partition(".")[2]
    title = f"{said['title']} ({model})" if model else said["title"]
    shown = [dot_of(arm, values[arm], 100 if share else 1) for arm in arms if arm in values]
    cells = [
        _cell(values[arm], place.format(arm), share, source)
        if arm in values
        else (Number("not scored" if name == "itm" and arm not in scored else "—"), None)
        for arm in arms
    ]
    says = f"{said['summary']} {DIRECTIONS[said['better']]}".strip()
    panel = Panel(title, unit, shown, said["better"])
    return {"group": said["group"], "title": title, "unit": unit, "says": says, "cells": cells, "panel": panel}


def _share(value: float | None) -> float | None:
    """A share in 0..1; None stays, such as an end of the interval of a single block of captions."""
    return None if value is None else min(1.0, max(0.0, value))


def _cell(value: Row, rows: str, share: bool, source: Source) -> tuple[Number, Number | None]:
    """A value and its difference to the reference arm."""
    written, signed = (percent, points) if share else (plain, _signed)
    there = value.get("difference")
    difference = there and number_of(there, signed, source, f"{rows}.difference")
    return number_of(value, written, source, rows), difference if there and there["value"] is not None else None


def _signed(value: float) -> str:
    return plain(value) if value <= 0 else f"+{plain(value)}"
