"""Where the models look: corrected scores of all runs between floors and ceiling, class swap, strata, all scores."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import (
    ALL,
    CEILING,
    CHANCE,
    CORRECTED,
    HEADLINE,
    LEAD,
    LEADING,
    RAW,
    ROAD,
    SALIENCY,
    SHARED,
    SPEARMAN,
)
from workflow_scripts.reporting.drawings import Dot, Panel, dot_figure, dot_of
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.contrasts import measure, named, verdict
from workflow_scripts.reporting.study import Number, Source, Study, Table, TableLine, number_of
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.terms import COLUMNS, Words
from workflow_scripts.reporting.text import arm_class, caption_text, minus, percent, points, words
from workflow_scripts.reporting.thumbnails import masked, overlay, thumbnail
from workflow_scripts.stats.intervals import LEVEL

Row = dict[str, Any]
KEY = ("layer", "stratum", "scale", "target", "metric")
PLACE = ("dataset", "layer", "target", "metric", "scale", "stratum")
PARTS = ("method", "backbone", "pairs", "augmentation", "tag")
OVERLAYS = 6  # images with maps of all shown runs
KINDS = 10  # of runs with example maps
OVERLAY, SMALL = 112, 80  # longer side of a map in the grid, and beside others of its image, in pixels
BEATEN = {"centre_gaussian": "the centre Gaussian", "runner_up": "the map of the runner-up class"}
"""The maps that every run of the better side must lead, and what they are called."""
ARRAYS = ("datasets", "keys", "roles", "classes", "swapped", "scores", "images", "masks", "maps", "maps_swapped")


class Checkpoint(NamedTuple):
    """The scores of one checkpoint on one set, by layer, stratum, scale, map and score."""

    run: str
    label: str
    pairs: str
    step: str
    source: Source
    rows: Mapping[tuple[str, ...], Row]

    def find(self, layer: str, target: str, scale: str, metric: str = HEADLINE, stratum: str = ALL) -> Row | None:
        """A row, or None."""
        return self.rows.get((layer, stratum, scale, target, metric))

    def number(self, row: Row | None, difference: bool = False) -> Number:
        """Its value and interval in per cent, or in points."""
        where = ", ".join(str(row[name]) for name in PLACE) if row else ""
        return number_of(row, points if difference else percent, self.source, where)


def saliency(study: Study, scores: Mapping[str, str], maps: Mapping[str, Row]) -> Row:
    """The section: a figure and tables for each set and layer, and example maps at the headline's step.

    Args:
        scores: what each score means.
        maps: of each kind of map, its ``role`` (``own``, ``swap``, ``floor`` or ``ceiling``), whether it is ``layered``
            (depends on a network's layer), and a ``summary``.
    """
    by_set = _checkpoints(study)
    shown = {key[4] for found in by_set.values() for one in found for key in one.rows}
    places = [(name, layer) for name, found in by_set.items() for layer in _layers(found)]
    of_kind = {run.rpartition("-")[0]: (run, artifacts) for run, artifacts in reversed(_shown(study).items())}
    firsts = [*reversed(of_kind.values())]
    return {
        "places": [_place(name, layer, by_set[name], maps) for name, layer in places],
        "scores": [(words(name), meaning) for name, meaning in scores.items() if name in shown],
        "maps": [("mask" if name == CEILING else words(name), about["summary"]) for name, about in maps.items()],
        "better": better_maps(study),
        "checks": _checks(study),
        "discrimination": _discrimination(study),
        "more": len(firsts[KINDS:]),
        "grid": overlays(study, dict(firsts[:KINDS])),
        "marked": marked_examples(study, dict(firsts[:KINDS])),
    }


def _about(study: Study, artifact: Artifact) -> Row:
    """Run, its colour, and the set of an artifact."""
    run = artifact.unit["run"]
    return {"run": run, "css": study.css(run), "dataset": artifact.unit["dataset"]}


def _checks(study: Study) -> list[Row]:
    """For each checked run and set: a line for each part of a check, with its measures."""
    found = []
    for artifact in study.all("saliency_checks"):
        source, rows = study.source(artifact, ".parquet"), study.table(artifact)
        lines: dict[tuple[str, str], list[tuple[str, Number]]] = {}
        for row in rows:
            where = ", ".join(filter(None, (row["check"], row["at"], row["measure"])))
            plain = row["check"] == ROAD or row["measure"] == SPEARMAN  # logits and correlations, not scores
            number = number_of(row, "{:.2f}".format, source, where) if plain else number_of(row, percent, source, where)
            lines.setdefault((row["check"], row["at"]), []).append((row["measure"], number))
        images = max((row["n"] for row in rows), default=0)
        found.append({**_about(study, artifact), "images": images, "lines": [*lines.items()]})
    return found


def _discrimination(study: Study) -> list[Row]:
    """Whether metrics tell runs apart, a line for each set and metric; saliency's headline first."""
    artifact = study.one("discrimination")
    if artifact is None:
        return []
    source, lines = study.source(artifact, ".parquet"), []
    for row in sorted(study.table(artifact), key=lambda row: row["metric"] != SALIENCY):
        values = {name: {"value": row[name]} for name in ("icc", "recovered", "spearman", "partial_r2")}
        values["icc"] |= {"low": row["low"], "high": row["high"]}
        where = f"{row['dataset']}, {row['metric']}"
        cells = [number_of(value, "{:.2f}".format, source, f"{where}, {name}") for name, value in values.items()]
        title = known.title if (known := measure(row["metric"])) else words(row["metric"]).replace(".", ", ")
        lines.append(row | {"title": title, "cells": cells, "verdict": verdict(row)})
    return lines


def better_maps(study: Study) -> list[Row]:
    """Which side of each contrast of the leading score has the better maps; docs/saliency.md states the rule."""
    summary = study.one("summary")
    if summary is None:
        return []
    contrasts, source = study.table(summary, ".contrasts.parquet"), study.source(summary, ".contrasts.parquet")
    leads = _leads(study.table(summary))
    lines = []
    for contrast in named(contrasts, study.settings.headline_step):
        for one in contrast.shown:
            if one.row["metric"] != SALIENCY:
                continue
            counts = {name: _leading(leads, one.row, name) for name in BEATEN}
            number = Number(points(one.row["difference"]), one.interval, source, f"row {one.at} ({SALIENCY}, joint)")
            head = {"name": minus(contrast.name), "where": one.where, "dataset": one.row["dataset"], "number": number}
            shown = [f"{leading} of {runs}" if runs else "—" for leading, runs in counts.values()]
            lines.append({**head, "leading": shown, "statement": statement(one.row, counts, _higher(study, one.row))})
    return lines


def statement(row: Mapping[str, Any], leading: Mapping[str, tuple[int, int]], higher: str) -> str:
    """What is said of a contrast.

    Args:
        row: its joint row.
        leading: map -> how many runs of the side with the higher score lead it, and of how many.
        higher: that side.
    """
    if row["reason"] or row["p_adjusted"] is None:
        return f"not shown: {row['reason'] or 'no joint interval'}"
    if row["p_adjusted"] >= 1 - LEVEL:
        return "not shown: not significant after Holm’s correction"
    behind = [BEATEN[name] for name, (runs, of) in leading.items() if not 0 < runs == of]
    if behind:
        return f"not shown: not every run of the side with the higher score beats {' and '.join(behind)}"
    return f"the maps of {higher} are better{'' if row['primary'] else ' (exploratory)'}"


def _higher(study: Study, row: Row) -> str:
    """What the runs of the side with the higher score are, by what tells them from the other side."""
    sides = [[checkpoint.rpartition(".") for checkpoint in row[side].split()] for side in ("plus", "minus")]
    first, second = ([study.runs[run] | {"step": f"step {step}"} for run, _, step in side] for side in sides)
    differing = [name for name in COLUMNS if len({one.get(name) for one in (*first, *second)}) > 1]
    told = [Words(study.settings).run(one, differing) for one in (first if row["difference"] > 0 else second)]
    return " and ".join(dict.fromkeys(told))


def _leads(rows: Sequence[Row]) -> set[tuple[str, ...]]:
    """Checkpoint, set, the set that chose it, and map, of each lead whose interval is above 0."""
    metrics = {f"saliency.{name}.{HEADLINE}.{LEAD}": name for name in BEATEN}
    return {
        (f"{row['run']}.{row['step']}", row["dataset"], row["chosen_on"], metrics[row["metric"]])
        for row in rows
        if row["metric"] in metrics and row["low"] is not None and row["low"] > 0
    }


def _leading(leads: Collection[tuple[str, ...]], row: Row, name: str) -> tuple[int, int]:
    """How many runs of the side with the higher score lead a map, and how many runs it has."""
    runs = row["plus" if row["difference"] > 0 else "minus"].split()
    return sum((run, row["dataset"], row["chosen_on"], name) in leads for run in runs), len(runs)


def _place(name: str, layer: str, all_found: Sequence[Checkpoint], maps: Mapping[str, Row]) -> Row:
    """What is shown of one set and layer, of the runs that have it; it leads if it is the first layer of any run."""
    found = [one for one in all_found if layer in _layers([one])]
    others = [target for target in maps if target not in (LEADING, CHANCE, CEILING)]
    metrics = list(dict.fromkeys(key[4] for one in found for key in one.rows))
    strata = list(dict.fromkeys(key[1] for one in found for key in one.rows))
    return {
        "title": f"{name}, {layer}",
        "leads": any(_layers([one])[0] == layer for one in found),
        "n": next((row["n"] for one in found if (row := one.find(layer, LEADING, CORRECTED))), 0),
        "figure": _figure(name, layer, found, maps),
        "roles": [maps[name]["role"] for name in maps if any(one.find(layer, name, CORRECTED) for one in found)],
        "leads_over": _table(
            f"Corrected AP of the own map, and its lead over other maps: {name}, {layer}",
            ["corrected AP", *(f"over {words(target)}" for target in others)],
            found,
            lambda one: [
                one.number(one.find(layer, LEADING, CORRECTED)),
                *(one.number(one.find(layer, target, LEAD), difference=True) for target in others),
            ],
        ),
        "strata": _table(
            f"Corrected AP by size and place of the object: {name}, {layer}",
            strata,
            found,
            lambda one: [one.number(one.find(layer, LEADING, CORRECTED, stratum=stratum)) for stratum in strata],
        ),
        "scores": [
            _table(
                f"All scores of the own map, {scale}: {name}, {layer}",
                [words(metric) for metric in metrics],
                found,
                lambda one, scale=scale: [one.number(one.find(layer, LEADING, scale, metric)) for metric in metrics],
            )
            for scale in (CORRECTED, RAW)
        ],
    }


def _table(title: str, columns: list[str], found: Sequence[Checkpoint], cells: Any) -> Table:
    lines = [TableLine(one.run, arm_class(one.pairs), one.step, cells(one)) for one in found]
    return Table(title, columns, lines, "In % (leads in points), with 95 % intervals over classes and test images.")


def _figure(name: str, layer: str, found: Sequence[Checkpoint], maps: Mapping[str, Row]) -> Figure | None:
    """Floors, runs and the ceiling on one axis: corrected AP in per cent."""
    bounds: dict[str, list[Dot]] = {"floor": [], "ceiling": []}
    for target, about in maps.items():
        rows = [row for one in found if (row := one.find(layer, target, CORRECTED))]
        if about["role"] in bounds and rows:
            said, row = "mask" if target == CEILING else words(target), rows[0]
            if about["layered"] and about["role"] == "floor":  # of each network
                said, row = f"{said} (mean)", {"value": math.fsum(row["value"] for row in rows) / len(rows)}
            bounds[about["role"]].append(dot_of(said, row, 100, "arm-none"))
    runs = [
        dot_of(one.label, row, 100, arm_class("other" if one.pairs == "none" else one.pairs))
        for one in found
        if (row := one.find(layer, LEADING, CORRECTED))
    ]
    if not runs:
        return None
    panel = Panel("", "corrected AP, %", [*bounds["floor"], *runs, *bounds["ceiling"]], "higher")
    alt = f"Corrected average precision of maps on {name}, {layer}: floors, runs, ceiling; 95 % intervals but for means"
    return dot_figure(stem(f"saliency {name} {layer}"), f"Saliency: {name}, {layer}", alt, [panel])


def _layers(found: Sequence[Checkpoint]) -> list[str]:
    return list(dict.fromkeys(key[0] for one in found for key in one.rows))


def _shown(study: Study) -> dict[str, list[Artifact]]:
    """Run -> its artifacts of the headline's step, or of its last one where it has no such step."""
    by_run: dict[str, dict[str, list[Artifact]]] = {}
    for artifact in study.all("saliency"):
        by_run.setdefault(artifact.unit["run"], {}).setdefault(artifact.unit["step"], []).append(artifact)
    wanted = study.settings.headline_step
    return {run: steps.get(wanted, list(steps.values())[-1]) for run, steps in by_run.items()}


def _checkpoints(study: Study) -> dict[str, list[Checkpoint]]:
    """Set -> scores of the shown checkpoint of each run."""
    found: dict[str, list[Checkpoint]] = {}
    shown = _shown(study)
    labels = study.labels([*shown], PARTS)
    for run, artifacts in shown.items():
        pairs = study.method_and_pairs(run)[1]
        for artifact in artifacts:
            source, table = study.source(artifact, ".results.parquet"), study.table(artifact, ".results.parquet")
            rows = {tuple(row[name] for name in KEY): row for row in table}
            one = Checkpoint(run, labels[run], pairs, artifact.unit["step"], source, rows)
            found.setdefault(artifact.unit["dataset"], []).append(one)
    return found


class Example(NamedTuple):
    """An image with its mask and the maps of its own class and of the runner-up, as a run's file stores them."""

    dataset: str
    key: str
    role: str
    own: str
    other: str
    score: float
    image: np.ndarray
    mask: np.ndarray
    map: np.ndarray
    map_swapped: np.ndarray


def overlays(study: Study, shown: Mapping[str, Sequence[Artifact]]) -> Row | None:
    """The maps of the images that every run stores, by run; None if there are none."""
    stored = {
        run: {(one.dataset, one.key): one for one in _examples(found) if one.role == SHARED}
        for run, found in shown.items()
    }
    first = next(iter(stored.values()), {})
    shared = [one for one in first if all(one in examples for examples in stored.values())][:OVERLAYS]
    if not shared:
        return None
    columns = []
    for run, examples in stored.items():
        maps = [overlay(examples[one].image, examples[one].map, OVERLAY) for one in shared]
        sources = [study.source(artifact, ".examples.npz") for artifact in shown[run]]
        columns.append({"run": run, "css": study.css(run), "maps": maps, "sources": sources})
    return {
        "names": [f"{dataset}: {key}" for dataset, key in shared],
        "images": [thumbnail(Image.fromarray(first[one].image), OVERLAY) for one in shared],
        "masks": [masked(first[one].image, first[one].mask, OVERLAY) for one in shared],
        "columns": columns,
    }


def marked_examples(study: Study, shown: Mapping[str, Sequence[Artifact]]) -> list[Row]:
    """For each run and set: its best, median and worst image with both maps."""
    lines = []
    for artifacts in shown.values():
        for artifact in artifacts:
            source = study.source(artifact, ".examples.npz")
            cells = [
                {
                    "role": one.role,
                    "score": Number(percent(one.score), source=source, rows=f"{one.dataset}, {one.key}, {one.role}"),
                    "own": caption_text(one.own),
                    "other": caption_text(one.other),
                    "mask": masked(one.image, one.mask, SMALL),
                    "map": overlay(one.image, one.map, SMALL),
                    "map_swapped": overlay(one.image, one.map_swapped, SMALL),
                }
                for one in _examples([artifact])
                if one.role != SHARED
            ]
            lines.append({**_about(study, artifact), "cells": cells})
    return lines


def _examples(artifacts: Sequence[Artifact]) -> list[Example]:
    """All examples of one checkpoint."""
    found = []
    for artifact in artifacts:
        with np.load(artifact.path(".examples.npz"), allow_pickle=False) as stored:
            text = [stored[name].tolist() for name in ARRAYS[:6]]
            found += [Example(*one) for one in zip(*text, *(stored[name] for name in ARRAYS[6:]), strict=True)]
    return found
