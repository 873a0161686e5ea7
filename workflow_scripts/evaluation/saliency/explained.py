"""The images that are checked, their Grad-CAM maps at a layer's resolution, and the scores of these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from workflow_scripts.core.declaration.result_names import CEILING, CHANCE, HEADLINE, LEADING
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.maps.floors import enlarged, oracle
from workflow_scripts.evaluation.saliency.maps.grad_cam import explaining, grad_cam, probe_logits
from workflow_scripts.evaluation.saliency.scores import SCORES, near_object, score_maps
from workflow_scripts.models.backbones import Explained
from workflow_scripts.models.preprocessing import normalise

MAPS = (LEADING, "runner_up", CHANCE, CEILING)
"""What :func:`scored` scores, by the names of :data:`~workflow_scripts.evaluation.saliency.maps.kinds.KINDS`."""
BATCH = 64


@dataclass(frozen=True)
class Checked:
    """The images that are checked.

    Attributes:
        rows: (n,) int64, of the set.
        labels: (n,) their classes.
        masks: (n, s, s) uint8.
        pixels: (n, 3, s, s) uint8.
    """

    rows: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    pixels: torch.Tensor


def chosen(data: Downstream, images: PackedImages, rows: np.ndarray) -> Checked:
    """The images of some rows, which have masks with an object."""
    masks = np.stack([images.mask(row) for row in rows.tolist()])
    return Checked(rows, data.labels[rows].astype(np.int64), masks, images.batch(rows))


def small_maps(
    network: nn.Module, part: Explained, checked: Checked, head: FittedHead, classes: Sequence[np.ndarray], device: str
) -> np.ndarray:
    """Grad-CAM of the logits of some classes: (kinds, n, h, w) float32 at the layer's resolution.

    Args:
        classes: for each kind of map, the class of each image (n,).
    """
    logits, found = probe_logits(*head, device), []
    with explaining(network.to(device), [part]) as cam:
        for start in range(0, len(checked.rows), BATCH):
            batch = slice(start, start + BATCH)
            targets = [logits(torch.from_numpy(one[batch].astype(np.int64)).to(device)) for one in classes]
            (maps,), _ = grad_cam(cam, normalise(checked.pixels[batch].to(device)), targets)
            found.append(maps)
    return np.concatenate(found, axis=1)


def scored(own: np.ndarray, swapped: np.ndarray, masks: np.ndarray, upsampling: str) -> np.ndarray:
    """Headline score of the maps of :data:`MAPS`: (n, maps, 1) float64.

    Args:
        own, swapped: (n, h, w) small maps.
        masks: (n, s, s) uint8.
    """
    at, size, found = list(SCORES).index(HEADLINE), masks.shape[-1], []
    for first, second, mask in zip(own, swapped, masks, strict=True):
        layered = enlarged(np.stack([first, second, oracle(mask, first.shape)]), size, upsampling)
        maps = np.stack([layered[0], layered[1], np.ones((size, size), np.float32), layered[2]])
        found.append(score_maps(maps, mask, near_object(mask, 0), np.array([0.0, 1.0]))[:, [at]])
    return np.stack(found)
