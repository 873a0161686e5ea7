"""Scores of saliency maps: how well they find an object.

All maps of an image are ranked together. Value and membership of a pixel share an integer, so that one sort of
integers, which numpy vectorises, replaces a sort of indices: a float32 that is not negative has the order of its bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workflow_scripts.core.registry import by_name

OBJECT, IGNORE = 1, 255
"""Values of a mask besides 0, the background."""
OBJECT_SHARE = "the object's share of the pixels"
NEAR_SHARE = "the share of the pixels that lie in the object or close to it"


class Ranking(NamedTuple):
    """The p pixels that are not ignored of m maps, by descending value.

    A constant map carries no information: it arrives as ones, and its pixels as one tie.

    Attributes:
        values: (m, p) float32, each row descending, no value below 0.
        inside: (m, p) bool, whether a pixel lies in the object.
        near: (m, p) bool, whether it lies in the object or within the tolerance of it.
        hits: (m, p) int32, object pixels up to and including this one.
        ends: (m, p) bool, whether a pixel is the last one of its value.
        thresholds: (t,) float64, ascending shares of the largest value, 0..1.
        iou: (m, t) float64: intersection over union of the object and the pixels of at least each threshold.
    """

    values: np.ndarray
    inside: np.ndarray
    near: np.ndarray
    hits: np.ndarray
    ends: np.ndarray
    thresholds: np.ndarray
    iou: np.ndarray


def constant(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Whether each of the maps (m, h, w) has one value on all pixels that are not ignored: (m,) bool."""
    seen = maps[:, mask != IGNORE]
    return np.asarray(seen.max(axis=1, initial=-np.inf) <= seen.min(axis=1, initial=np.inf))


def ranking(maps: np.ndarray, mask: np.ndarray, near: np.ndarray, thresholds: np.ndarray) -> Ranking:
    """Rank the pixels of maps, as scores need them.

    Args:
        maps: (m, h, w) float, no value below 0; they are compared in float32.
        mask: (h, w) uint8: 0 background, 1 object, 255 ignore; at least one object pixel.
        near: (h, w) bool, the object and what lies within the tolerance of it.
        thresholds: (t,) ascending shares of the maximum, 0..1.
    """
    seen = mask != IGNORE
    values = maps[:, seen].astype(np.float32)
    values[values.max(axis=1) == values.min(axis=1)] = 1
    flags = (mask[seen] == OBJECT) + 2 * near[seen].astype(np.uint64)
    # Adding 0 turns -0 into 0, whose bits would otherwise be the largest. Inverted bits put large values first.
    bits = ~(values + np.float32(0)).view(np.uint32)
    keys = (bits.astype(np.uint64) << np.uint64(2)) | flags.astype(np.uint64)
    keys.sort(axis=1)
    values = (~(keys >> np.uint64(2)).astype(np.uint32)).view(np.float32)
    inside, close = (keys & np.uint64(1)).astype(bool), (keys & np.uint64(2)).astype(bool)
    hits = np.cumsum(inside, axis=1, dtype=np.int32)
    ends = np.ones(values.shape, bool)
    np.greater(values[:, :-1], values[:, 1:], out=ends[:, :-1])
    return Ranking(values, inside, close, hits, ends, thresholds, _iou(values, hits, thresholds))


def _iou(values: np.ndarray, hits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """IoU of the object and {pixels of at least t times the maximum}: (m, t)."""
    objects, lines = hits[0, -1], thresholds * values[:, :1].astype(np.float64)
    above = np.array([np.searchsorted(-row, -line, side="right") for row, line in zip(values, lines, strict=True)])
    overlap = np.take_along_axis(hits, above - 1, axis=1)
    return np.asarray(overlap / (above + objects - overlap))


def near_object(mask: np.ndarray, tolerance: float) -> np.ndarray:
    """Pixels of a mask (h, w) within ``tolerance`` pixels of an object pixel, the object included: (h, w) bool."""
    from scipy.ndimage import distance_transform_edt  # half a second

    return np.asarray(distance_transform_edt(mask != OBJECT) <= tolerance)


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        name: in tables, and (with spaces) in the report.
        summary: what it measures, in one phrase.
        compute: the score of each of m maps: (m,) float64, from 0 to 1, higher for a map that fits the object better.
        chance: what a map without information scores.
    """

    name: str
    summary: str
    compute: Callable[[Ranking], np.ndarray]
    chance: str = OBJECT_SHARE


def explained(score: Score) -> str:
    """One sentence for readers of the report: what a score measures, its range, and its value by chance."""
    return f"{score.summary}; 0 to 1, higher is better; by chance {score.chance}"


def _iou_area(maps: Ranking) -> np.ndarray:
    """Integral over t in 0..1, by the trapezoid rule, of the IoU of the object and {s_i >= t max s}."""
    return np.asarray(np.trapezoid(maps.iou, maps.thresholds, axis=1))


def _iou_max(maps: Ranking) -> np.ndarray:
    """The largest IoU(t) over the thresholds t, which are chosen with the mask in view."""
    return np.asarray(maps.iou.max(axis=1))


def _mass_in_mask(maps: Ranking) -> np.ndarray:
    """Sum s_i m_i / sum s_i. It rises with the sharpness of a map, at an unchanged order of its pixels."""
    inside = np.where(maps.inside, maps.values, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(inside / maps.values.sum(axis=1, dtype=np.float64))


def _pixel_ap(maps: Ranking) -> np.ndarray:
    """Sum over distinct values of the growth of recall times precision, ties taken as one step.

    As scikit-learn's ``average_precision_score``.
    """
    precisions = np.empty(len(maps.ends))
    for row, last in enumerate(maps.ends):
        positions = np.flatnonzero(last)
        hits = maps.hits[row, positions].astype(np.float64)
        precisions[row] = np.sum(np.diff(hits, prepend=0) * hits / (positions + 1))
    return precisions / maps.hits[0, -1]


def _pointing_game(maps: Ranking) -> np.ndarray:
    """1 or 0 for a single peak, split evenly among ties (Zhang et al. 2018, IJCV 126:1084)."""
    peak = np.argmax(maps.ends, axis=1)
    return np.asarray(maps.hits[np.arange(len(peak)), peak] / (peak + 1))


def _pointing_game_near(maps: Ranking) -> np.ndarray:
    """As the pointing game; a peak within the tolerance is a hit too (Zhang et al. 2018, IJCV 126:1084: 15 pixels)."""
    peak = np.argmax(maps.ends, axis=1)
    return np.array([row[: last + 1].mean() for row, last in zip(maps.near, peak, strict=True)])


SCORES = by_name(
    [
        Score("iou_area", "IoU of the object and the map above a threshold, averaged over thresholds", _iou_area),
        Score("iou_max", "IoU of the object and the map above its best threshold", _iou_max),
        Score("mass_in_mask", "share of the map's sum that lies in the object", _mass_in_mask),
        Score("pixel_ap", "average precision of the pixels ranked by the map", _pixel_ap),
        Score("pointing_game", "whether the map's largest value lies in the object", _pointing_game),
        Score(
            "pointing_game_near",
            "whether the map's largest value lies in the object or close to it",
            _pointing_game_near,
            NEAR_SHARE,
        ),
    ]
)
"""In the order of the tables' columns."""


def score_maps(maps: np.ndarray, mask: np.ndarray, near: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Scores of maps in the order of :data:`SCORES`: (m, scores) float64; arguments as of :func:`ranking`."""
    ranked = ranking(maps, mask, near, thresholds)
    return np.column_stack([score.compute(ranked) for score in SCORES.values()])
