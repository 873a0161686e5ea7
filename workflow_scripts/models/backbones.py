"""Backbones, one row each: image networks without a classifier.

To add one, add a row. A network of your own gets a module beside this one, imported in the function that builds it:
this module is imported with every config and must not import torch. All rows are in the code digests of ``pretrain``
and of evaluations, so a new row makes them stale; ``faithful-pairs accept`` states that it changes none.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network from (n, 3, h, w) float32 normalised images to (n, features) float32.

    Attributes:
        name: in configs and run names.
        summary: one sentence.
        build: returns the network with random weights from torch's global generator.
        features: width of its output.
        stages: names of its stages, each an ``nn.Sequential`` whose last block Grad-CAM can explain; the last stage
            is the default.
        weights_bytes: size of its weights and buffers in float32.
        forward_gflop: 10^9 floating-point operations of a forward pass of one 224-pixel image, counted by torch's
            FlopCounterMode.
    """

    name: str
    summary: str
    build: Callable[[], "nn.Module"]
    features: int
    stages: tuple[str, ...]
    weights_bytes: float
    forward_gflop: float


def _torchvision(name: str) -> "nn.Module":
    """torchvision's ResNet ``name`` without its classifier."""
    import torchvision.models
    from torch import nn

    network: nn.Module = getattr(torchvision.models, name)(weights=None)
    network.fc = nn.Identity()
    return network


def _small_resnet() -> "nn.Module":
    from workflow_scripts.models.small_resnet import SmallResNet

    return SmallResNet()


RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")
BACKBONES = by_name(
    [
        Backbone(
            name="resnet18",
            summary="torchvision's ResNet-18 (He et al. 2016)",
            build=partial(_torchvision, "resnet18"),
            features=512,
            stages=RESNET_STAGES,
            weights_bytes=44.7e6,
            forward_gflop=3.6,
        ),
        Backbone(
            name="resnet34",
            summary="torchvision's ResNet-34",
            build=partial(_torchvision, "resnet34"),
            features=512,
            stages=RESNET_STAGES,
            weights_bytes=85.2e6,
            forward_gflop=7.3,
        ),
        Backbone(
            name="resnet50",
            summary="torchvision's ResNet-50",
            build=partial(_torchvision, "resnet50"),
            features=2048,
            stages=RESNET_STAGES,
            weights_bytes=94.2e6,
            forward_gflop=8.2,
        ),
        Backbone(
            name="resnet_small",
            summary="a narrow ResNet for images of 32 to 64 pixels",
            build=_small_resnet,
            features=128,
            stages=RESNET_STAGES,
            weights_bytes=1.24e6,
            forward_gflop=0.4,
        ),
    ]
)


def build_backbone(name: str) -> tuple["nn.Module", int]:
    """The randomly initialised network ``name``, and the width of its features.

    Raises:
        PipelineError: no such network is registered.
    """
    if name not in BACKBONES:
        raise PipelineError("unknown backbone", "settings of pretrain", name, f"choose from {', '.join(BACKBONES)}")
    return BACKBONES[name].build(), BACKBONES[name].features


def load_backbone(weights: Path, run: Path) -> tuple["nn.Module", dict[str, Any]]:
    """A trained network in evaluation mode, and its run's metadata.

    Args:
        weights: ``<run>/<step>.safetensors`` of a pretrain artifact.
        run: ``<run>/run.json`` beside it (keys ``backbone``, ``feature_dim``, ``preprocessing``, ``method``...).

    Raises:
        PipelineError: a file is damaged, or the weights do not match the run's network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        metadata: dict[str, Any] = json.loads(run.read_bytes())
        network, _ = build_backbone(metadata["backbone"])
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError("unreadable run metadata", run, error, "delete the run's artifact and run again") from None
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        value = str(error).splitlines()[0]
        raise PipelineError("weights do not fit", weights, value, "delete the run's artifact and run again") from None
    return network.eval(), metadata
