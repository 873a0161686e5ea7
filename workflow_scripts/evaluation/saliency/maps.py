"""Scores of Grad-CAM maps and of baselines on the masked test images of a dataset."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.grad_cam import Target, class_cosine, explaining, grad_cam, probe_logit
from workflow_scripts.evaluation.saliency.masks import OBJECT
from workflow_scripts.evaluation.saliency.scores import FLOORS, SCORES, is_constant, score_map
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.stats.seeds import derive

MAP_TARGETS = ("probe", "cosine")
TARGETS = (*MAP_TARGETS, *FLOORS)


class SaliencyPlan(NamedTuple):
    """How maps are computed and scored: see the settings of ``saliency`` for each field."""

    layer: str
    thresholds: int
    gaussian_sigma: float
    batch_size: int
    examples: int
    seed: int
    device: str


@dataclass
class SaliencyResult:
    """Scores of one set.

    Attributes:
        name: the set's name.
        keys: keys of the scored images.
        scores: (images, targets, scores) float64, in the order of :data:`TARGETS` and ``SCORES``.
        constant: maps without any contrast, by target; they are scored as uniform.
        left_out: masked test images that are not scored, by reason.
        labels: classes of the scored images.
        examples: key -> image (s, s, 3) uint8, mask (s, s) uint8, maps (2, s, s) uint8 (255 = the map's maximum).
    """

    name: str
    keys: list[str] = field(default_factory=list)
    scores: np.ndarray = field(default_factory=lambda: np.empty((0, len(TARGETS), len(SCORES))))
    constant: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    labels: list[int] = field(default_factory=list)
    examples: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)


def evaluate_saliency(
    network: nn.Module, data: Downstream, head: FittedHead, images: PackedImages, plan: SaliencyPlan
) -> SaliencyResult:
    """Score the masked test images of a set; maps of one batch are in memory at a time.

    Images whose mask is empty after the centre crop, or whose class has no training image, are left out and
    counted. Map and mask are compared at the size of the network's input.
    """
    result = SaliencyResult(data.name)
    rows = np.intersect1d(data.rows("test"), images.masked)
    usable = np.array([row for row in rows if _usable(int(row), images, head, data, result.left_out)], dtype=np.int64)
    shown = set(example_rows(usable, data.keys, plan.examples, plan.seed).tolist())
    targets = map_targets(data, head, plan.device)
    floors = [floor(images.size, plan.gaussian_sigma) for floor in FLOORS.values()]
    thresholds = np.linspace(0, 1, plan.thresholds)
    scores = []
    with explaining(network.to(plan.device), plan.layer) as cam:
        for start in range(0, len(usable), plan.batch_size):
            part = usable[start : start + plan.batch_size]
            pixels = images.batch(part)
            labels = torch.from_numpy(data.labels[part].astype(np.int64)).to(plan.device)
            maps = grad_cam(cam, normalise(pixels.to(plan.device)), labels, targets)
            for i, row in enumerate(part.tolist()):
                mask = images.mask(row)
                scores.append([score_map(one, mask, thresholds) for one in (*maps[:, i], *floors)])
                result.constant.update(
                    name for name, one in zip(MAP_TARGETS, maps[:, i], strict=True) if is_constant(one, mask)
                )
                if row in shown:
                    picture = pixels[i].permute(1, 2, 0).numpy()
                    result.examples[str(data.keys[row])] = (picture, mask, to_bytes(maps[:, i]))
    result.keys = [str(data.keys[row]) for row in usable]
    result.labels = [int(data.labels[row]) for row in usable]
    if scores:
        result.scores = np.array(scores)
    return result


def map_targets(data: Downstream, head: FittedHead, device: str) -> list[Target]:
    """The targets of :data:`MAP_TARGETS` for one set."""
    rows = data.rows("train", "val")
    sums = np.zeros((len(data.classes), data.features.shape[1]))
    np.add.at(sums, data.labels[rows], data.features[rows].astype(np.float64))
    counts = np.bincount(data.labels[rows], minlength=len(data.classes))
    means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return [probe_logit(*head, device), class_cosine(means, device)]


def example_rows(rows: np.ndarray, keys: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` of ``rows`` in the order of a hash of their keys: the same images for every run."""
    order = sorted(rows.tolist(), key=lambda row: derive(seed, "example", str(keys[row])))
    return np.array(order[:count], dtype=np.int64)


def to_bytes(maps: np.ndarray) -> np.ndarray:
    """Maps (..., s, s) scaled so that each one's maximum is 255: uint8."""
    peak = maps.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.rint(255 * maps / np.where(peak > 0, peak, 1)), dtype=np.uint8)


def _usable(row: int, images: PackedImages, head: FittedHead, data: Downstream, left_out: Counter[str]) -> bool:
    if not np.isfinite(head.bias[data.labels[row]]):
        left_out["class_without_training_image"] += 1
        return False
    if not (images.mask(row) == OBJECT).any():
        left_out["empty_mask"] += 1
        return False
    return True
