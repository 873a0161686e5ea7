"""Figures of captions by group: a small chart each, and one table with the differences to the original captions."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

from workflow_scripts.reporting.colours import arm_class
from workflow_scripts.reporting.dots import Dot, dots
from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.study import Study
from workflow_scripts.reporting.text import percent, plain, points

Row = dict[str, Any]
DIRECTIONS = {"higher": "Higher is better.", "lower": "Lower is better.", "neither": ""}


class Explained(NamedTuple):
    """What readers are told of a figure: heading, title, unit, which direction is better, and a sentence."""

    group: str
    title: str
    unit: str
    better: str
    summary: str


def caption_figures(study: Study, explained: Mapping[str, Explained]) -> Row:
    """Groups of figures in the order of ``explained``, and the arms; none if the study did not compare its arms."""
    artifact = study.one("caption_comparison")
    if artifact is None:
        return {"groups": []}
    found, source = study.json(artifact), study.source(artifact, ".json")
    arms = found["arms"]
    rows = [
        _row(name, explained[known], found["figures"][name], arms, source)
        for known in explained
        for name in found["figures"]
        if name.partition(".")[0] == known and found["figures"][name]
    ]
    groups = [(group, list(some)) for group, some in groupby(rows, key=lambda row: row["group"])]
    return {
        "groups": groups,
        "reference": found["reference"],
        "arms": [(arm, arm_class(arm)) for arm in arms],
    }


def _row(name: str, said: Explained, values: Row, arms: list[str], source: Source) -> Row:
    share = said.unit.startswith("share")
    scale, unit = (100, said.unit.replace("share", "%", 1)) if share else (1, said.unit)
    encoder = name.partition(".")[2]
    title = f"{said.title} ({encoder})" if encoder else said.title

    def scaled(end: float | None) -> float | None:
        return None if end is None else scale * end

    shown = [
        Dot(arm, arm_class(arm), scale * values[arm]["value"], scaled(values[arm]["low"]), scaled(values[arm]["high"]))
        for arm in arms
        if arm in values
    ]
    cells = [_cell(values.get(arm), f"figures.{name}.{arm}", share, source) for arm in arms]
    says = f"{said.summary} {DIRECTIONS[said.better]}".strip()
    return {
        "group": said.group, "title": title, "unit": unit, "says": says, "cells": cells,
        "chart": dots(shown, title, unit),
    }  # fmt: skip


def _cell(value: Row | None, rows: str, share: bool, source: Source) -> tuple[Number, Number | None]:
    """A value and its difference to the reference arm."""
    if value is None:
        return Number("—"), None
    written, signed = (percent, points) if share else (plain, _signed)
    own = Number(written(value["value"]), _interval(value, written), source, f"{rows}, n = {value['n']}")
    there = value.get("difference")
    if there is None or there["value"] is None:
        return own, None
    where = f"{rows}.difference, n = {there['n']}"
    return own, Number(signed(there["value"]), _interval(there, signed), source, where)


def _interval(value: Row, written: Any) -> str:
    ends = (value["low"], value["high"])
    return "" if None in ends else f"[{written(ends[0])}, {written(ends[1])}]"


def _signed(value: float) -> str:
    text = plain(value)
    return text if value <= 0 else f"+{text}"
