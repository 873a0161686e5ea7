"""The tables of saliency evaluation."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.core.declaration.result_names import ALL, HEADLINE, LEADING, SHARED
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.correction import SCALES, Estimates, estimates
from workflow_scripts.evaluation.saliency.evaluate import SaliencyResult
from workflow_scripts.evaluation.saliency.maps.floors import enlarged
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, KINDS, LAYERED
from workflow_scripts.evaluation.saliency.scores import SCORES
from workflow_scripts.stats.seeds import derive

AREAS = (0.05, 0.15, 0.35)
"""Bounds of the strata by the object's share of the pixels."""
IMAGES = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "key")],
        ("label", pa.int32()),
        *[(name, pa.float64()) for name in ("area", "centred")],
        *[(name, pa.string()) for name in ("layer", "target")],
        *[(name, pa.float64()) for name in SCORES],
    ]
)
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "layer", "target", "metric", "scale", "stratum", "upsampling")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[(name, pa.int64()) for name in ("n", "constant_maps")],
    ]
)


def strata(areas: np.ndarray, centred: np.ndarray) -> dict[str, np.ndarray]:
    """Stratum -> which of the n images it holds, (n,) bool; empty strata are left out.

    A share on a bound counts as the larger one. Terciles of centredness have equal numbers of images, up to one; ties
    are split in the images' order.
    """
    found = {ALL: np.ones(len(areas), bool)}
    place = np.digitize(areas, AREAS)
    bounds = [f"{100 * bound:g}" for bound in AREAS]
    between = [f"object {low} to {high} %" for low, high in pairwise(bounds)]
    names = [f"object under {bounds[0]} %", *between, f"object over {bounds[-1]} %"]
    found |= {name: place == number for number, name in enumerate(names)}
    ranks = np.empty(len(centred), np.int64)
    ranks[np.argsort(centred, kind="stable")] = np.arange(len(centred))
    third = ranks * 3 // max(len(centred), 1)
    names = ["least centred third", "middle third", "most centred third"]
    found |= {name: third == number for number, name in enumerate(names)}
    return {name: chosen for name, chosen in found.items() if chosen.any()}


def example_places(result: SaliencyResult, count: int, seed: int) -> list[tuple[int, str]]:
    """Places of images to keep, each with its role, by role and key.

    ``count`` are ``shared``: in the order of a hash of their keys, the same for every run. ``best``, ``median`` and
    ``worst`` are by the headline score of the leading map of the first layer; ties by key.
    """
    if not result.keys:
        return []
    order = sorted(range(len(result.keys)), key=lambda at: derive(seed, "example", result.keys[at]))
    shared = [(at, SHARED) for at in sorted(order[:count], key=lambda at: result.keys[at])]
    scores = result.scores[:, result.plan.maps.index((result.plan.layers[0], LEADING)), list(SCORES).index(HEADLINE)]
    ranked = sorted(range(len(result.keys)), key=lambda at: (-scores[at], result.keys[at]))
    marked = {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}
    return [*shared, *((at, role) for role, at in marked.items())]


def write_examples(
    path: Path, result: SaliencyResult, places: list[tuple[int, str]], images: PackedImages, classes: list[str]
) -> None:
    """Example maps as ``.npz``, one row an example.

    ``datasets``, ``keys``, ``roles``, ``classes`` and ``swapped`` (the runner-up class) (e,) text; ``scores`` (e,) of
    the leading map; ``images`` (e, s, s, 3), ``masks`` (e, s, s; 0 background, 1 object, 255 ignore), ``maps`` (of the
    true class) and ``maps_swapped`` (of the runner-up) (e, s, s), all uint8; 255 in a map is that map's maximum.

    Args:
        images: of the set.
        classes: names of the set's classes.
    """
    at = [place for place, _ in places]
    side, rows = images.size, result.survey.rows[at]
    maps = [to_bytes(enlarged(result.shown[place], side, result.plan.upsampling)) for place in at]
    leading = result.plan.maps.index((result.plan.layers[0], LEADING))
    flat = np.empty((0, side, side), np.uint8)
    arrays = {
        "datasets": np.array([result.name] * len(at), dtype=str),
        "keys": np.array([result.keys[place] for place in at], dtype=str),
        "roles": np.array([role for _, role in places], dtype=str),
        "classes": np.array([classes[result.labels[place]] for place in at], dtype=str),
        "swapped": np.array([classes[result.swapped[place, 0]] for place in at], dtype=str),
        "scores": result.scores[at, leading, list(SCORES).index(HEADLINE)] if at else np.empty(0),
        "images": np.array(images.pixels[rows]),
        "masks": np.stack([images.mask(row) for row in rows.tolist()]) if at else flat,
        "maps": np.stack([one[0] for one in maps]) if at else flat,
        "maps_swapped": np.stack([one[1] for one in maps]) if at else flat,
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def to_bytes(maps: np.ndarray) -> np.ndarray:
    """Maps (..., s, s) scaled so that each one's maximum is 255: uint8."""
    peak = maps.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.rint(255 * maps / np.where(peak > 0, peak, 1)), dtype=np.uint8)


def image_table(result: SaliencyResult) -> pa.Table:
    """One row per image and map, with a column per score; maps common to all layers have an empty ``layer``."""
    n, maps = len(result.keys), result.plan.maps
    columns = [
        [result.name] * (n * len(maps)),
        [key for key in result.keys for _ in maps],
        *(np.repeat(one, len(maps)) for one in (result.labels, result.survey.areas, result.survey.centred)),
        *([one[part] for one in maps] * n for part in (0, 1)),
        *result.scores.reshape(-1, len(SCORES)).T,
    ]
    return pa.table(columns, schema=IMAGES)


def result_table(result: SaliencyResult, resamples: int, level: float, seed: int) -> pa.Table:
    """One row per layer, stratum, scale, map and score; a map common to all layers has a row for each layer.

    All maps of a stratum share the resamples. ``constant_maps`` counts the maps of all images without contrast. A set
    without a scored image has no row; without a range between uniform map and oracle there are no corrected rows.
    """
    rows: list[dict[str, Any]] = []
    for layer in result.plan.layers:
        maps = [*((layer, kind) for kind in LAYERED), *(("", kind) for kind in COMMON)]
        scores = result.scores[None][:, :, [result.plan.maps.index(one) for one in maps]]
        for stratum, chosen in strata(result.survey.areas, result.survey.centred).items() if result.keys else ():
            head = {"dataset": result.name, "layer": layer, "stratum": stratum, "n": int(chosen.sum())}
            head["upsampling"] = result.plan.upsampling
            kinds = [kind for _, kind in maps]
            drawn = derive(seed, "saliency", result.name, stratum)
            found = estimates(scores, result.labels, chosen, kinds, resamples, level, drawn)
            for row in _rows(found, kinds):
                constant = result.constant[layer if KINDS[row["target"]].layered else "", row["target"]]
                rows.append(head | row | {"constant_maps": constant})
    return pa.Table.from_pylist(rows, RESULTS)


def _rows(found: Estimates, kinds: list[str]) -> Iterator[dict[str, Any]]:
    for at, value in np.ndenumerate(found.values):
        if np.isfinite(value):
            low, high = (float(end[at]) if np.isfinite(end[at]) else None for end in (found.low, found.high))
            scale, kind, metric = at
            score = {"scale": SCALES[scale], "target": kinds[kind], "metric": list(SCORES)[metric]}
            yield {**score, "value": float(value), "low": low, "high": high}
