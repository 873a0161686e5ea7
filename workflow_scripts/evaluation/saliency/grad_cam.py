"""Grad-CAM maps of a backbone for two targets: a probe's logit, or the cosine to a class mean.

Selvaraju et al. 2017 (ICCV), equations 1 and 2: channel weights are the gradients' means over the map, the map is the
ReLU of the weighted sum of the layer's channels. Hooks, weights and sums are pytorch-grad-cam's; its rescaling of
every map to 0..1 by its own minimum and maximum is not used, because it moves mass from the object to the background.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from torch import nn
from torch.nn import functional

from workflow_scripts.core.errors import PipelineError

Target = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Features (b, d) and labels (b,) -> the score of each image that is explained, (b,)."""


def probe_logit(weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, std: np.ndarray, device: str) -> Target:
    """Logit of the true class of a linear probe: (x - mean) / std . W[y] + b[y]."""
    rows, offsets, centre, scale = (torch.from_numpy(one).to(device) for one in (weight, bias, mean, std))

    def target(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return ((features - centre) / scale * rows[labels]).sum(dim=1) + offsets[labels]

    return target


def class_cosine(means: np.ndarray, device: str) -> Target:
    """Cosine of the pooled feature to the mean training feature (k, d) of the true class."""
    rows = torch.from_numpy(means).to(device)

    def target(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cosine_similarity(features, rows[labels], dim=1)

    return target


@contextmanager
def explaining(network: nn.Module, layer: str) -> Iterator[GradCAM]:
    """Grad-CAM on the last block of ``layer``; its hooks are always removed when the ``with`` block ends.

    Raises:
        PipelineError: the network has no such layer.
    """
    stage = getattr(network, layer, None)
    if not isinstance(stage, nn.Sequential) or len(stage) == 0:
        have = [name for name, child in network.named_children() if isinstance(child, nn.Sequential)]
        raise PipelineError("unknown layer", "settings of saliency, layer", layer, f"choose one of {have}")
    network.requires_grad_(False)
    with stage[-1].register_forward_hook(_cut):  # before the library's hooks, which then receive its result
        cam = GradCAM(model=network, target_layers=[stage[-1]])
        try:
            yield cam
        finally:  # GradCAM's context manager would swallow an IndexError
            cam.activations_and_grads.release()


def _cut(block: nn.Module, given: object, maps: torch.Tensor) -> torch.Tensor:
    """Cut the graph: gradients are needed from the block's maps on, but not before."""
    return maps.detach().requires_grad_()


def grad_cam(cam: GradCAM, images: torch.Tensor, labels: torch.Tensor, targets: Sequence[Target]) -> np.ndarray:
    """Maps of a batch for several targets, from one forward pass.

    Args:
        cam: from :func:`explaining`.
        images: (b, 3, s, s) float32, normalised, on the network's device.
        labels: (b,) int64, on the same device.

    Returns:
        (targets, b, s, s) float32, >= 0, enlarged to the images' size (bilinear).
    """
    hooks = cam.activations_and_grads
    features = hooks(images)
    maps = []
    for target in targets:
        hooks.gradients = []
        target(features, labels).sum().backward(retain_graph=True)
        activations, gradients = hooks.activations[0].numpy(), hooks.gradients[0].numpy()
        small = cam.get_cam_image(images, cam.target_layers[0], [], activations, gradients)
        enlarged = functional.interpolate(
            torch.from_numpy(np.maximum(small, 0))[:, None], images.shape[-2:], mode="bilinear", align_corners=False
        )
        maps.append(enlarged[:, 0].numpy())
    hooks.clear()
    return np.stack(maps)
