"""Several maps against one mask: their pixels by descending value, with what several scores need.

All maps of an image are ranked together. Value and membership of a pixel share an integer, so that one sort of
integers, which numpy vectorises, replaces a sort of indices: a float32 that is not negative has the order of its bits.
"""

from typing import NamedTuple

import numpy as np

from workflow_scripts.evaluation.saliency.masks import IGNORE, OBJECT


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
    """Maps as scores take them.

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
