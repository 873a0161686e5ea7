"""Example maps for the report: images shared by all runs, and those on which a run's maps do best, median and worst."""

from pathlib import Path

import numpy as np

from workflow_scripts.core.declaration.result_names import HEADLINE, LEADING, SHARED
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.evaluate import SaliencyResult
from workflow_scripts.evaluation.saliency.maps.floors import enlarged
from workflow_scripts.evaluation.saliency.score_registry import SCORES
from workflow_scripts.stats.seeds import derive


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
    path: Path,
    result: SaliencyResult,
    places: list[tuple[int, str]],
    images: PackedImages,
    classes: list[str],
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
