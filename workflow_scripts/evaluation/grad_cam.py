"""Grad-CAM maps of a backbone for targets of our own: a probe's logit, or the cosine to a class mean.

Selvaraju et al. 2017 (ICCV), equations 1 and 2: channel weights are the gradients' means over the map, the map is the
ReLU of the weighted sum of the layer's channels. The values are pytorch-grad-cam's (tested), whose import would take
longer than the demo's maps; its rescaling of every map to 0..1 by its own minimum and maximum is not done, because it
moves mass from the object to the background.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
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


@dataclass
class Explained:
    """A network under explanation; ``maps`` are the explained block's, of the last batch."""

    network: nn.Module
    maps: list[torch.Tensor] = field(default_factory=list)

    def cut(self, module: nn.Module, given: object, maps: torch.Tensor) -> torch.Tensor:
        """The hook behind the block: gradients are needed from its maps on, and from nothing before."""
        self.maps = [maps.detach().requires_grad_()]
        return self.maps[0]


@contextmanager
def explaining(network: nn.Module, layer: str) -> Iterator[Explained]:
    """Explain the last block of ``layer``; the hook is removed when the block ends, whatever happened in it.

    Raises:
        PipelineError: the network has no such layer.
    """
    stage = getattr(network, layer, None)
    if not isinstance(stage, nn.Sequential) or len(stage) == 0:
        have = [name for name, child in network.named_children() if isinstance(child, nn.Sequential)]
        raise PipelineError("no such layer", "settings of saliency, layer", layer, f"choose one of {have}")
    network.requires_grad_(False)
    explained = Explained(network)
    hook = stage[-1].register_forward_hook(explained.cut)
    try:
        yield explained
    finally:
        hook.remove()


def grad_cam(explained: Explained, images: torch.Tensor, labels: torch.Tensor, targets: Sequence[Target]) -> np.ndarray:
    """Maps of a batch for several targets, from one forward pass.

    Args:
        explained: from :func:`explaining`.
        images: (b, 3, s, s) float32, normalised, on the network's device.
        labels: (b,) int64, on the same device.

    Returns:
        (targets, b, s, s) float32, >= 0, enlarged to the images' size (bilinear).
    """
    features = explained.network(images)
    (maps,) = explained.maps
    activations = maps.detach().cpu().numpy()
    heats = []
    for target in targets:
        (slopes,) = torch.autograd.grad(target(features, labels).sum(), maps, retain_graph=True)
        weights = slopes.cpu().numpy().mean(axis=(2, 3))
        small = (weights[:, :, None, None] * activations).sum(axis=1)
        enlarged = functional.interpolate(
            torch.from_numpy(np.maximum(small, 0))[:, None], images.shape[-2:], mode="bilinear", align_corners=False
        )
        heats.append(enlarged[:, 0].numpy())
    explained.maps = []
    return np.stack(heats)
