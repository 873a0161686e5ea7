"""All maps of a network for a batch of images: Grad-CAM of several classes, and the floors that use its channels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from torch import nn

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.saliency.maps.channels import eigen_cam, lafam, random_cam
from workflow_scripts.evaluation.saliency.maps.classes import class_means
from workflow_scripts.evaluation.saliency.maps.grad_cam import (
    class_cosines,
    computed,
    explaining,
    grad_cam,
    probe_logits,
)
from workflow_scripts.models.backbones import Explained
from workflow_scripts.models.preprocessing import normalise

KINDS = ("probe", "cosine", "runner_up", "random_class", "random_cam", "lafam", "eigen_cam")
"""The maps of a layer, in the order in which :meth:`NetworkMaps.of` returns them."""


class NetworkMaps:
    """Explains batches of a set's images; see :func:`mapping`.

    Args:
        places: of each of the wanted layers among those of ``cam``.
    """

    def __init__(self, cam: GradCAM, places: Sequence[int], data: Downstream, head: FittedHead, device: str) -> None:
        self.cam, self.places, self.device = cam, places, device
        self.probe = probe_logits(*head, device)
        self.cosine = class_cosines(class_means(data), device)

    def of(
        self, pixels: torch.Tensor, labels: np.ndarray, swapped: np.ndarray, keys: Sequence[str], seed: int
    ) -> list[np.ndarray]:
        """Maps of b images: for each layer (kinds, b, h, w) float32, no value below 0, at the layer's resolution.

        Args:
            pixels: (b, 3, s, s) uint8.
            labels: (b,) their classes.
            swapped: (b, 2) the classes of the maps ``runner_up`` and ``random_class``.
            keys: of the images, for their random channel weights.
        """
        own, first, second = (torch.from_numpy(one.astype(np.int64)).to(self.device) for one in (labels, *swapped.T))
        targets = [self.probe(own), self.cosine(own), self.probe(first), self.probe(second)]
        maps, channels = grad_cam(self.cam, normalise(pixels.to(self.device)), targets)
        found = []
        for place in self.places:
            of_channels = [random_cam(channels[place], keys, seed), lafam(channels[place]), eigen_cam(channels[place])]
            found.append(np.stack([*maps[place], *of_channels]))
        return found


@contextmanager
def mapping(
    network: nn.Module, parts: Sequence[Explained], data: Downstream, head: FittedHead, device: str
) -> Iterator[NetworkMaps]:
    """Maps of parts of the network; its hooks are removed when the ``with`` block ends."""
    with explaining(network.to(device), parts) as cam:
        order = computed(network, parts)
        yield NetworkMaps(cam, [order.index(at) for at in range(len(parts))], data, head, device)
