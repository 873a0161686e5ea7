"""Where the models look: corrected scores of all runs between floors and ceiling, class swap, strata, all scores."""

import math
from collections.abc import Mapping, Sequence
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
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.reporting.drawings import Dot, Panel, dot_figure, dot_of
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.sections.better_maps import better_maps
from workflow_scripts.reporting.study import Number, Source, Study, Table, TableLine, number_of
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.text import arm_class, caption_text, percent, points, words
from workflow_scripts.reporting.thumbnails import masked, overlay, thumbnail

Row = dict[str, Any]
PLACE = ("dataset", "layer", "target", "metric", "scale", "stratum")
PARTS = ("method", "backbone", "pairs", "augmentation", "tag")
OVERLAYS = 6  # images with maps of all shown runs
KINDS = 10  # of runs with example maps
OVERLAY, SMALL = 112, 80  # longer side of a map in the grid, and beside others of its image, in pixels
ARRAYS = ("datasets", "keys", "roles", "classes", "swapped", "scores", "images", "masks", "maps", "maps_swapped")


class MapMeaning(NamedTuple):
    """What a kind of map is: ``own``, ``swap``, ``floor`` or ``ceiling``; whether it depends on a network's layer."""

    role: str
    layered: bool
    summary: str


class Checkpoint(NamedTuple):
    """The scores of one checkpoint on one set, by layer, stratum, scale, map and score."""

    run: str
    label: str
    pairs: str
    step: str
    source: Source
    rows: Mapping[tuple[str, str, str, str, str], Row]

    def find(self, layer: str, target: str, scale: str, metric: str = HEADLINE, stratum: str = ALL) -> Row | None:
        """A row, or None."""
        return self.rows.get((layer, stratum, scale, target, metric))

    def number(self, row: Row | None, difference: bool = False) -> Number:
        """Its value and interval in per cent, or in points."""
        where = ", ".join(str(row[name]) for name in PLACE) if row else ""
        return number_of(row, points if difference else percent, self.source, where)


def saliency(study: Study, scores: Mapping[str, str], maps: Mapping[str, MapMeaning]) -> Row:
    """The section: a figure and tables for each set and layer, and example maps at the headline's step."""
    by_set = _checkpoints(study)
    shown = {key[4] for found in by_set.values() for one in found for key in one.rows}
    places = [(name, layer) for name, found in by_set.items() for layer in _layers(found)]
    of_kind = {run.rpartition("-")[0]: (run, artifacts) for run, artifacts in reversed(_shown(study).items())}
    firsts = [*reversed(of_kind.values())]
    return {
        "places": [_place(name, layer, by_set[name], maps) for name, layer in places],
        "scores": [(words(name), meaning) for name, meaning in scores.items() if name in shown],
        "maps": [(words(name), meaning.summary) for name, meaning in maps.items()],
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
    return {"run": run, "css": arm_class(study.method_and_pairs(run)[1]), "dataset": artifact.unit["dataset"]}


def _checks(study: Study) -> list[Row]:
    """For each checked run and set: a line for each part of a check, with its measures."""
    found = []
    for artifact in study.all("saliency_checks"):
        source = study.source(artifact, ".parquet")
        lines: dict[tuple[str, str], list[tuple[str, Number]]] = {}
        for row in study.table(artifact):
            is_score = row["check"] != ROAD and row["measure"] != SPEARMAN
            number = _checked(row, source, 100.0 if is_score else 1.0)
            lines.setdefault((row["check"], row["at"]), []).append((row["measure"], number))
        found.append({**_about(study, artifact), "lines": [*lines.items()]})
    return found


def _checked(row: Row, source: Source, factor: float) -> Number:
    """A value of a check with its interval: corrected scores in per cent, logits and correlations as they are."""
    where = ", ".join(row[name] for name in ("check", "at", "measure") if row.get(name))
    return number_of(row, lambda value: f"{factor * value:.{1 if factor > 1 else 2}f}", source, where)


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
        said = f"{row['verdict']}: {row['reason']}" if row["reason"] else row["verdict"]
        lines.append({**row, "cells": cells, "verdict": said, "beyond": row["beyond_probe"] or "—"})
    return lines


def _place(name: str, layer: str, all_found: Sequence[Checkpoint], maps: Mapping[str, MapMeaning]) -> Row:
    """What is shown of one set and layer, of the runs that have it; it leads if it is the first layer of any run."""
    found = [one for one in all_found if layer in _layers([one])]
    others = [target for target in maps if target not in (LEADING, CHANCE, CEILING)]
    metrics = list(dict.fromkeys(key[4] for one in found for key in one.rows))
    strata = list(dict.fromkeys(key[1] for one in found for key in one.rows))
    return {
        "title": f"{name}, {layer}",
        "leads": any(_layers([one])[0] == layer for one in found),
        "n": next((row["n"] for one in found for row in [one.find(layer, LEADING, CORRECTED)] if row), 0),
        "figure": _figure(name, layer, found, maps),
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
    return Table(title, columns, lines, "In % (leads in points), with 95 % intervals over test images.")


def _figure(name: str, layer: str, found: Sequence[Checkpoint], maps: Mapping[str, MapMeaning]) -> Figure | None:
    """Floors, runs and the ceiling on one axis: corrected AP in per cent."""
    bounds: dict[str, list[Dot]] = {"floor": [], "ceiling": []}
    for target, meaning in maps.items():
        rows = [row for one in found for row in [one.find(layer, target, CORRECTED)] if row]
        if meaning.role in bounds and rows:
            said, row = words(target), rows[0]
            if meaning.layered and meaning.role == "floor":  # of each network
                said, row = f"{said} (mean)", {"value": math.fsum(row["value"] for row in rows) / len(rows)}
            bounds[meaning.role].append(dot_of(said, row, 100, "arm-none"))
    runs = [
        dot_of(one.label, row, 100, arm_class("other" if one.pairs == "none" else one.pairs))
        for one in found
        for row in [one.find(layer, LEADING, CORRECTED)]
        if row
    ]
    if not runs:
        return None
    panel = Panel("", "corrected AP, %", [*bounds["floor"], *runs, *bounds["ceiling"]], "higher")
    alt = f"Corrected average precision of maps on {name}, {layer}: floors, runs and the ceiling, with 95 % intervals."
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
        for artifact in artifacts:
            source = study.source(artifact, ".results.parquet")
            by_set: dict[str, dict[tuple[str, str, str, str, str], Row]] = {}
            for row in study.table(artifact, ".results.parquet"):
                key = (row["layer"], row["stratum"], row["scale"], row["target"], row["metric"])
                by_set.setdefault(row["dataset"], {})[key] = row
            pairs = study.method_and_pairs(run)[1]
            for name, rows in by_set.items():
                one = Checkpoint(run, labels[run], pairs, artifact.unit["step"], source, rows)
                found.setdefault(name, []).append(one)
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
    shared = shared_examples(list(stored.values()), OVERLAYS)
    if not shared:
        return None
    columns = []
    for run, examples in stored.items():
        maps = [overlay(examples[one].image, examples[one].map, OVERLAY) for one in shared]
        sources = [study.source(artifact, ".examples.npz") for artifact in shown[run]]
        columns.append({"run": run, "css": arm_class(study.method_and_pairs(run)[1]), "maps": maps, "sources": sources})
    first = next(iter(stored.values()))
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
    """All examples of one checkpoint.

    Raises:
        PipelineError: a file has another form.
    """
    found = []
    for artifact in artifacts:
        path = artifact.path(".examples.npz")
        with np.load(path, allow_pickle=False) as stored:
            missing = set(ARRAYS) - set(stored.files)
            if missing:
                raise PipelineError("missing arrays", path, sorted(missing), "recompute the saliency artifact")
            text = [stored[name].tolist() for name in ARRAYS[:6]]
            found += [Example(*one) for one in zip(*text, *(stored[name] for name in ARRAYS[6:]), strict=True)]
    return found


def shared_examples(ids: Sequence[Mapping[tuple[str, str], object]], most: int) -> list[tuple[str, str]]:
    """At most `most` (dataset, key) that every run stored, in the first run's order."""
    if not ids:
        return []
    return [one for one in ids[0] if all(one in other for other in ids)][:most]
