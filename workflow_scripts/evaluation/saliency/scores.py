"""How well a saliency map finds an object: scores of one map against one mask, pixels marked ignore left out.

With map values s_i >= 0 and object membership m_i over the pixels i that are not ignored, P = sum m_i object pixels:

* ``mass_in_mask`` = sum s_i m_i / sum s_i.
* ``pointing_game`` = share of the pixels with the largest value that lie in the object: 1 or 0 for a single peak
  (Zhang et al. 2016, IJCV 126:1084), split evenly among ties.
* ``iou_area``: IoU(t) = |{s_i >= t max s} and object| / |{s_i >= t max s} or object| for t from 0 to 1, integrated over
  t by the trapezoid rule; ``iou_max`` is its largest value over those t.
* ``pixel_ap`` = sum over distinct values v, descending, of (R(v) - R(prev)) Pr(v), with precision and recall of
  {s_i >= v}: average precision, ties taken as one step (as scikit-learn's ``average_precision_score``).

A constant map (all zero after Grad-CAM's ReLU included) tells nothing: it is scored as the uniform map, for which mass,
pointing, IoU and AP all equal the object's share of the pixels. It is never a hit.
"""

import numpy as np

from workflow_scripts.core.errors import PipelineError

BACKGROUND, OBJECT, IGNORE = 0, 1, 255
METRICS = ("mass_in_mask", "pointing_game", "iou_area", "iou_max", "pixel_ap")


def is_constant(saliency: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the map has one value on all pixels that are not ignored."""
    seen = saliency[mask != IGNORE]
    return bool(seen.size == 0 or seen.max() == seen.min())


def score_map(saliency: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Scores in the order of :data:`METRICS`: (5,) float64.

    Args:
        saliency: (h, w) float, no value below 0.
        mask: (h, w) uint8: 0 background, 1 object, 255 ignore; at least one object pixel.
        thresholds: (t,) ascending shares of the maximum, 0..1.
    """
    seen = mask != IGNORE
    values, inside = saliency[seen].astype(np.float64), mask[seen] == OBJECT
    if is_constant(saliency, mask):
        values = np.ones_like(values)
    order = np.argsort(-values, kind="stable")
    values, inside = values[order], inside[order]
    hits, counts = np.cumsum(inside), np.arange(1, len(values) + 1)
    objects = hits[-1]
    ends = np.flatnonzero(np.append(values[1:] < values[:-1], True))
    precision, recall = hits[ends] / counts[ends], hits[ends] / objects
    above = np.searchsorted(-values, -thresholds * values[0], side="right")
    overlap = hits[above - 1]
    iou = overlap / (above + objects - overlap)
    return np.array(
        [
            values @ inside / values.sum(),
            precision[0],
            np.trapezoid(iou, thresholds),
            iou.max(),
            np.diff(recall, prepend=0) @ precision,
        ]
    )


def uniform_map(side: int) -> np.ndarray:
    """The floor that knows nothing: (side, side) ones."""
    return np.ones((side, side))


def centre_gaussian(side: int, sigma: float) -> np.ndarray:
    """The floor that knows where photographers put things: a round Gaussian, its deviation ``sigma`` sides."""
    distance = (np.arange(side) - (side - 1) / 2) / (sigma * side)
    line = np.exp(-(distance**2) / 2)
    return np.outer(line, line)


def check_mask(mask: np.ndarray, where: str, key: str) -> np.ndarray:
    """``mask`` if it is two-dimensional and holds nothing but 0, 1 and 255.

    Raises:
        PipelineError: otherwise.
    """
    strange = sorted(set(np.unique(mask).tolist()) - {BACKGROUND, OBJECT, IGNORE}) if mask.ndim == 2 else mask.shape
    if strange:
        advice = "masks are grey images of 0 (background), 1 (object) and 255 (ignore)"
        raise PipelineError("not an object mask", where, f"{key}: {strange}", advice)
    return mask
