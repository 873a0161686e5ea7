"""How well a saliency map finds an object: scores of one map against one mask, one row each.

Notation: map values s_i >= 0 and object membership m_i over the pixels i that are not ignored. A constant map (all zero
after Grad-CAM's ReLU included) carries no information: it is scored as the uniform map, and is never a hit.

To add a score, add a row to :data:`SCORES`; the tables and the report follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workflow_scripts.core.registry import by_name
from workflow_scripts.evaluation.saliency.masks import IGNORE, OBJECT

OBJECT_SHARE = "the object's share of the pixels"


class Ranking(NamedTuple):
    """The pixels of one map that are not ignored, by descending value, with what several scores need.

    Attributes:
        values: (p,) float64, descending; ones for a constant map.
        inside: (p,) bool, whether a pixel lies in the object.
        precision: (v,) float64: for each distinct value, descending, the object's share of the pixels of at least it.
        recall: (v,) float64: the share of the object's pixels that have at least that value.
        thresholds: (t,) float64, ascending shares of the largest value, 0..1.
        iou: (t,) float64: intersection over union of the object and the pixels of at least each threshold.
    """

    values: np.ndarray
    inside: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray
    iou: np.ndarray


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        name: in the column ``metric`` of tables, and (with spaces) in the report.
        summary: what it measures, in one phrase.
        compute: the score of one map.
        low: smallest possible value.
        high: largest possible value.
        higher_is_better: whether a map that fits the object better has a higher value.
        chance: what a map without information scores.
    """

    name: str
    summary: str
    compute: Callable[[Ranking], float]
    low: float
    high: float
    higher_is_better: bool
    chance: str


def _mass_in_mask(pixels: Ranking) -> float:
    """Sum s_i m_i / sum s_i."""
    return float(pixels.values @ pixels.inside / pixels.values.sum())


def _pointing_game(pixels: Ranking) -> float:
    """1 or 0 for a single peak, split evenly among ties (Zhang et al. 2018, IJCV 126:1084)."""
    return float(pixels.precision[0])


def _iou_area(pixels: Ranking) -> float:
    """Integral over t in 0..1, by the trapezoid rule, of the IoU of the object and {s_i >= t max s}."""
    return float(np.trapezoid(pixels.iou, pixels.thresholds))


def _iou_max(pixels: Ranking) -> float:
    """The largest IoU(t) over the thresholds t."""
    return float(pixels.iou.max())


def _pixel_ap(pixels: Ranking) -> float:
    """Sum over distinct values of the growth of recall times precision, ties taken as one step.

    As scikit-learn's ``average_precision_score``.
    """
    return float(np.diff(pixels.recall, prepend=0) @ pixels.precision)


SCORES = by_name(
    [
        Score(
            name="mass_in_mask",
            summary="share of the map's sum that lies in the object",
            compute=_mass_in_mask,
            low=0.0,
            high=1.0,
            higher_is_better=True,
            chance=OBJECT_SHARE,
        ),
        Score(
            name="pointing_game",
            summary="whether the map's largest value lies in the object",
            compute=_pointing_game,
            low=0.0,
            high=1.0,
            higher_is_better=True,
            chance=OBJECT_SHARE,
        ),
        Score(
            name="iou_area",
            summary="IoU of the object and the map above a threshold, averaged over thresholds",
            compute=_iou_area,
            low=0.0,
            high=1.0,
            higher_is_better=True,
            chance=OBJECT_SHARE,
        ),
        Score(
            name="iou_max",
            summary="IoU of the object and the map above its best threshold",
            compute=_iou_max,
            low=0.0,
            high=1.0,
            higher_is_better=True,
            chance=OBJECT_SHARE,
        ),
        Score(
            name="pixel_ap",
            summary="average precision of the pixels ranked by the map",
            compute=_pixel_ap,
            low=0.0,
            high=1.0,
            higher_is_better=True,
            chance=OBJECT_SHARE,
        ),
    ]
)


def explained(score: Score) -> str:
    """One sentence for readers of the report: what a score measures, its range, and its value by chance."""
    better = "higher" if score.higher_is_better else "lower"
    return f"{score.summary}; {score.low:g} to {score.high:g}, {better} is better; by chance {score.chance}"


def is_constant(saliency: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the map has one value on all pixels that are not ignored."""
    seen = saliency[mask != IGNORE]
    return bool(seen.size == 0 or seen.max() == seen.min())


def ranking(saliency: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Ranking:
    """A map's pixels as scores take them; arguments as of :func:`score_map`."""
    seen = mask != IGNORE
    values, inside = saliency[seen].astype(np.float64), mask[seen] == OBJECT
    if is_constant(saliency, mask):
        values = np.ones_like(values)
    order = np.argsort(-values, kind="stable")
    values, inside = values[order], inside[order]
    hits, counts = np.cumsum(inside), np.arange(1, len(values) + 1)
    objects = hits[-1]
    ends = np.flatnonzero(np.append(values[1:] < values[:-1], True))
    above = np.searchsorted(-values, -thresholds * values[0], side="right")
    overlap = hits[above - 1]
    iou = overlap / (above + objects - overlap)
    return Ranking(values, inside, hits[ends] / counts[ends], hits[ends] / objects, thresholds, iou)


def score_map(saliency: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Scores in the order of :data:`SCORES`: (scores,) float64.

    Args:
        saliency: (h, w) float, no value below 0.
        mask: (h, w) uint8: 0 background, 1 object, 255 ignore; at least one object pixel.
        thresholds: (t,) ascending shares of the maximum, 0..1.
    """
    pixels = ranking(saliency, mask, thresholds)
    return np.array([score.compute(pixels) for score in SCORES.values()])


def uniform_map(side: int) -> np.ndarray:
    """A map without information: (side, side) ones."""
    return np.ones((side, side))


def centre_gaussian(side: int, sigma: float) -> np.ndarray:
    """The centre bias of photographs: a round Gaussian with a standard deviation of ``sigma`` sides."""
    distance = (np.arange(side) - (side - 1) / 2) / (sigma * side)
    line = np.exp(-(distance**2) / 2)
    return np.outer(line, line)


FLOORS: dict[str, Callable[[int, float], np.ndarray]] = {
    "uniform": lambda side, sigma: uniform_map(side),
    "centre_gaussian": centre_gaussian,
}
"""Baselines that do not look at the image: name -> (side, ``gaussian_sigma``) -> map (side, side) float64."""
