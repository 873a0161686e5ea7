"""Grad-CAM maps of a backbone, for several layers and targets from one forward pass.

Selvaraju et al. 2017 (ICCV), equations 1 and 2: channel weights are the gradients' means over the map, the map is the
ReLU of the weighted sum of the layer's channels. Hooks, weights and sums are pytorch-grad-cam's; its rescaling of
every map to 0..1 by its own minimum and maximum is not used, because it moves mass from the object to the background.

The network below the earliest layer runs without gradients: the graph begins at that layer's output, and each target
costs one backward pass through what is above it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from torch import nn
from torch.nn import functional

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.saliency.maps.floors import eigen_cam, lafam, random_cam
from workflow_scripts.models.backbones import Explained
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.stats.seeds import derive

Target = Callable[[torch.Tensor], torch.Tensor]
"""Features (b, d) -> the score of each image that is explained, (b,)."""
KINDS = ("probe", "cosine", "runner_up", "random_class", "random_cam", "lafam", "eigen_cam")
"""The maps of a layer, in the order in which :meth:`NetworkMaps.of` returns them."""


def probe_logits(
    weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, std: np.ndarray, device: str
) -> Callable[[torch.Tensor], Target]:
    """Labels (b,) -> the logit of a linear probe for these classes: (x - mean) / std . W[y] + b[y]."""
    rows, offsets, centre, scale = (torch.from_numpy(one).to(device) for one in (weight, bias, mean, std))

    def of(labels: torch.Tensor) -> Target:
        return lambda features: ((features - centre) / scale * rows[labels]).sum(dim=1) + offsets[labels]

    return of


def class_cosines(means: np.ndarray, device: str) -> Callable[[torch.Tensor], Target]:
    """Labels (b,) -> the cosine of the pooled feature to the mean training feature (k, d) of these classes."""
    rows = torch.from_numpy(means).to(device)

    def of(labels: torch.Tensor) -> Target:
        return lambda features: functional.cosine_similarity(features, rows[labels], dim=1)

    return of


@contextmanager
def explaining(network: nn.Module, parts: Sequence[Explained]) -> Iterator[GradCAM]:
    """Grad-CAM on parts of the network; its hooks are always removed when the ``with`` block ends.

    Its target layers are in the order in which the network computes them: see :func:`computed`.
    """
    order = computed(network, parts)
    blocks = [parts[at].module for at in order]
    network.requires_grad_(False)
    # Before the library's hooks, which then receive its result.
    with blocks[0].register_forward_hook(_cut):
        cam = GradCAM(model=network, target_layers=blocks, reshape_transform=parts[0].to_map)
        try:
            yield cam
        finally:  # GradCAM's context manager would swallow an IndexError
            cam.activations_and_grads.release()


def computed(network: nn.Module, parts: Sequence[Explained]) -> list[int]:
    """Places of the parts in the order in which the network defines, and so computes, them."""
    order = {id(module): place for place, module in enumerate(network.modules())}
    return sorted(range(len(parts)), key=lambda at: order[id(parts[at].module)])


def _cut(block: nn.Module, given: object, output: object) -> torch.Tensor:
    """Cut the graph: gradients are needed from the block's output on, but not before.

    Raises:
        PipelineError: the output is not a tensor.
    """
    if not isinstance(output, torch.Tensor):
        advice = "name a module whose output is a single tensor, such as the normalisation before it"
        raise PipelineError("no map in a layer", "networks, layer", type(output).__name__, advice)
    return output.detach().requires_grad_()


def grad_cam(
    cam: GradCAM, images: torch.Tensor, targets: Sequence[Target]
) -> tuple[list[np.ndarray], list[torch.Tensor]]:
    """Maps of a batch for several targets, and the channels that they weigh, from one forward pass.

    Args:
        cam: from :func:`explaining`.
        images: (b, 3, s, s) float32, normalised, on the network's device.

    Returns:
        For each of the cam's layers, maps (targets, b, h, w) float32, >= 0, at the layer's resolution; and its channels
        (b, c, h, w) float32 on the CPU.

    Raises:
        PipelineError: a layer does not run, or runs several times, so that activations and gradients would not match.
    """
    hooks = cam.activations_and_grads
    features = hooks(images)
    if len(hooks.activations) != len(cam.target_layers):
        value = f"{len(hooks.activations)} outputs of {len(cam.target_layers)} modules"
        advice = "name a module that runs once for an image: no activation that is used twice, no list of modules"
        raise PipelineError("no map in a layer", "networks, layer", value, advice)
    maps: list[list[np.ndarray]] = [[] for _ in cam.target_layers]
    for number, target in enumerate(targets, start=1):
        hooks.gradients = []
        target(features).sum().backward(retain_graph=number < len(targets))
        for place, layer in enumerate(cam.target_layers):
            activations, gradients = hooks.activations[place].numpy(), hooks.gradients[place].numpy()
            small = cam.get_cam_image(images, layer, [], activations, gradients)
            maps[place].append(np.maximum(small, 0))
    channels = list(hooks.activations)
    hooks.clear()
    return [np.stack(found) for found in maps], channels


class NetworkMaps:
    """Explains batches of a set's images by parts of a network, with ``cam`` of :func:`explaining` them."""

    def __init__(
        self, cam: GradCAM, parts: Sequence[Explained], data: Downstream, head: FittedHead, device: str
    ) -> None:
        order = computed(cam.model, parts)
        self.cam, self.device, self.places = cam, device, [order.index(at) for at in range(len(parts))]
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


def class_means(data: Downstream) -> np.ndarray:
    """Mean feature of the training and validation images of each class: (k, d) float32; 0 for a class without any."""
    rows = data.rows("train", "val")
    sums = np.zeros((len(data.classes), data.features.shape[1]))
    np.add.at(sums, data.labels[rows], data.features[rows].astype(np.float64))
    counts = np.bincount(data.labels[rows], minlength=len(data.classes))
    return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)


def swapped_classes(head: FittedHead, data: Downstream, rows: np.ndarray, seed: int) -> np.ndarray:
    """Two wrong classes of each row: (n, 2) int64.

    The first is the one with the highest logit besides the true class; the second is drawn by a hash of the key and
    ``seed``, the same for every run, among the classes of the set. Only classes that the probe knows count; if it knows
    no other, both are the true class.
    """
    own = data.labels[rows].astype(np.int64)
    logits = head.scores(data.features[rows]).astype(np.float64)
    logits[np.arange(len(rows)), own] = -np.inf
    runner_up = np.where(np.isfinite(logits).any(axis=1), logits.argmax(axis=1), own)
    known = np.flatnonzero(np.isfinite(head.bias))
    drawn = own.copy()
    for place, row in enumerate(rows):
        others = known[known != own[place]]
        if len(others):
            drawn[place] = others[derive(seed, "class", str(data.keys[row])) % len(others)]
    return np.column_stack([runner_up, drawn])
