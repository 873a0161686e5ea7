"""Class swap within an image: on images with two labelled objects, is the map of A in object A or in object B?"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from torch import nn

from workflow_scripts.core.declaration.result_names import CEILING, CHANCE
from workflow_scripts.evaluation.datasets.masks.objects import class_mask
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.correction import LEAST_RANGE
from workflow_scripts.evaluation.saliency.explained import BATCH, MAPS, chosen, scored, small_maps
from workflow_scripts.evaluation.saliency.scores import OBJECT
from workflow_scripts.models.backbones import Explained
from workflow_scripts.stats.nested import crossed_bootstrap

OBJECTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "layer", "measure")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
    ]
)
MEASURES = ("map A in mask A", "map A in mask B", "map B in mask A", "map B in mask B", "map A: mask A - mask B")
"""Corrected scores, each with chance and ceiling of its mask, and the difference that the class swap tests."""


class Pairs(NamedTuple):
    """Images with two labelled objects.

    Attributes:
        rows: (n,) int64, of the set.
        others: (n,) int64, class B: of the labelled classes besides the image's own, that of the largest object.
    """

    rows: np.ndarray
    others: np.ndarray


def object_pairs(data: Downstream, head: FittedHead, images: PackedImages, rows: np.ndarray) -> Pairs:
    """Those of ``rows`` (n,) with an object of the image's class and one of another class that the probe knows."""
    found: list[tuple[int, int]] = []
    for row in np.intersect1d(rows, images.with_objects).tolist():
        own = int(data.labels[row])
        others = sorted(
            {one for one in data.object_labels[row] if one >= 0 and one != own and np.isfinite(head.bias[one])}
        )
        first, *rest = ((mask == OBJECT).sum() for mask in _masks(data, images, row, own, *others))
        if others and first and max(rest):
            found.append((row, others[int(np.argmax(rest))]))
    return Pairs(*np.array(found, np.int64).reshape(-1, 2).T)


def _masks(data: Downstream, images: PackedImages, row: int, *classes: int) -> list[np.ndarray]:
    """Masks (s, s) uint8 of all objects of each class in an image."""
    ids, labels = images.object_map(row), list(data.object_labels[row])
    return [class_mask(ids, labels, one) for one in classes]


def object_rows(
    network: nn.Module,
    part: Explained,
    data: Downstream,
    head: FittedHead,
    images: PackedImages,
    pairs: Pairs,
    upsampling: str,
    device: str,
    resampling: tuple[int, float, int],
) -> Iterator[dict[str, Any]]:
    """Rows of :data:`OBJECTS` without their set and layer; none without pairs.

    Args:
        resampling: resamples, confidence level and seed; classes are those of object A.
    """
    if not len(pairs.rows):
        return
    found, labels = [], data.labels[pairs.rows].astype(np.int64)
    for start in range(0, len(pairs.rows), BATCH):  # masks and pixels of all images would not fit in memory
        rows, others = (one[start : start + BATCH] for one in pairs)
        checked = chosen(data, images, rows)
        own, other = small_maps(network, part, checked, head, [checked.labels, others], device)
        classes = zip(rows.tolist(), checked.labels.tolist(), others.tolist(), strict=True)
        masks = np.stack([_masks(data, images, *one) for one in classes], axis=1)
        found.append(np.stack([scored(own, other, each, upsampling)[..., 0] for each in masks], axis=1))
    scores = np.concatenate(found)
    draws, level, seed = resampling
    above = scores - scores[..., [MAPS.index(CHANCE)]]
    flat, n = above.reshape(len(above), -1), len(above)
    values = _measures(flat.mean(axis=0)[None])[0]
    ends = np.full((2, len(MEASURES)), np.nan)
    if len(np.unique(labels)) > 1:
        resampled = crossed_bootstrap(flat[None], labels, np.ones(n), _measures, draws, seed)
        ends = np.nanquantile(resampled, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    for measure, value, low, high in zip(MEASURES, values, *ends, strict=True):
        interval = {"value": value, "low": low, "high": high}
        yield {"measure": measure, "n": n} | {
            name: float(v) if np.isfinite(v) else None for name, v in interval.items()
        }


def _measures(means: np.ndarray) -> np.ndarray:
    """Means (b, masks * maps) of what is above the uniform map -> (b, measures)."""
    above = means.reshape(len(means), 2, len(MAPS))
    span = above[..., [MAPS.index(CEILING)]]
    found = above[..., :2] / np.where(np.abs(span) < LEAST_RANGE, np.nan, span)
    own, other = found[..., 0], found[..., 1]
    return np.column_stack([own[:, 0], own[:, 1], other[:, 0], other[:, 1], own[:, 0] - own[:, 1]])
