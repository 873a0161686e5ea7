"""Backbones, one row each: image networks without a classifier.

To add one, add a row. A network of your own gets a module beside this one, imported in the function that builds it:
this module is imported with every config and must not import torch. All rows are in the code digests of evaluations, so
a new row makes them stale; ``faithful-pairs accept`` states that it changes none.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.registry import by_name, discover
from workflow_scripts.models.networks.library import Library

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network from (n, 3, h, w) float32 normalised images to (n, features) float32.

    Attributes:
        name: in configs and run names.
        summary: one sentence.
        build: returns the network with random weights from torch's global generator.
        features: width of its output.
        weights_bytes: size of its weights and buffers in float32.
        forward_gflop: 10^9 floating-point operations of a forward pass of one 224-pixel image, counted by torch's
            FlopCounterMode.
        stages: names of its stages, each an ``nn.Sequential`` whose last block Grad-CAM can explain; the last stage
            is the default.
    """

    name: str
    summary: str
    build: Callable[[], "nn.Module"]
    features: int
    weights_bytes: float
    forward_gflop: float
    stages: tuple[str, ...] = ("layer1", "layer2", "layer3", "layer4")


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


BACKBONES = by_name(
    [
        Backbone(
            name="resnet18",
            summary="torchvision's ResNet-18 (He et al. 2016)",
            build=partial(_torchvision, "resnet18"),
            features=512,
            weights_bytes=44.7e6,
            forward_gflop=3.6,
        ),
        Backbone(
            name="resnet34",
            summary="torchvision's ResNet-34",
            build=partial(_torchvision, "resnet34"),
            features=512,
            weights_bytes=85.2e6,
            forward_gflop=7.3,
        ),
        Backbone(
            name="resnet50",
            summary="torchvision's ResNet-50",
            build=partial(_torchvision, "resnet50"),
            features=2048,
            weights_bytes=94.2e6,
            forward_gflop=8.2,
        ),
        Backbone(
            name="resnet_small",
            summary="a narrow ResNet for images of 32 to 64 pixels",
            build=_small_resnet,
            features=128,
            weights_bytes=1.24e6,
            forward_gflop=0.4,
        ),
    ]
)


# Networks that a library builds by name; in configs and in run.json: <library>:<architecture>.
LIBRARIES = discover("workflow_scripts.models.networks.libraries", Library)
TRAINED_BY_NAME = rf"^({'|'.join(name for name, one in LIBRARIES.items() if one.trains)}):[A-Za-z0-9_]+$"


def build_backbone(
    name: str, image_size: int = 224, options: Mapping[str, Any] | None = None
) -> tuple["nn.Module", int]:
    """The randomly initialised network ``name``, and the width of its features.

    Args:
        image_size: side of its images, for architectures whose weights depend on it.
        options: further settings of an architecture of a library.

    Raises:
        PipelineError: no such network is registered, its library does not know it, or it can't see such images.
    """
    library, colon, architecture = name.partition(":")
    if colon and library in LIBRARIES:
        try:
            network = LIBRARIES[library].build(architecture, image_size, options or {})
            return network, _width(network, image_size)
        except (AssertionError, ValueError, RuntimeError) as error:
            given = ", ".join(f"{key}: {value}" for key, value in {"image_size": image_size, **(options or {})}.items())
            advice = "use the image size that the architecture was made for"
            advice += f", and correct {', '.join(options)} in its config.json" if options else ""
            raise PipelineError("architecture that can't be built", name, f"{given}: {error}", advice) from None
    if name not in BACKBONES:
        known = ", ".join([*BACKBONES, *(f"{one}:..." for one in LIBRARIES)])
        raise PipelineError("unknown backbone", "settings of pretrain", name, f"choose from {known}")
    return BACKBONES[name].build(), BACKBONES[name].features


def _width(network: "nn.Module", image_size: int) -> int:
    """Width of the features of a network that no row describes."""
    import torch

    training = network.training
    with torch.no_grad():
        features = network.eval()(torch.zeros(1, 3, image_size, image_size))
    network.train(training)
    return int(features.shape[1])


def grad_cam_layer(name: str, network: "nn.Module") -> str:
    """Path of the module of ``network`` that Grad-CAM explains by default; empty if none is known."""
    library, colon, _ = name.partition(":")
    return LIBRARIES[library].layer(network) if colon else BACKBONES[name].stages[-1]


def map_of(name: str, network: "nn.Module") -> "Callable[[Any], Tensor]":
    """What turns an output of a layer of ``network`` into a map: -> (n, c, h, w)."""
    library, colon, _ = name.partition(":")
    return partial(LIBRARIES[library].to_map, network) if colon else lambda output: output


class Explained(NamedTuple):
    """A module that Grad-CAM can explain, and how its output becomes a map.

    Attributes:
        module: part of the network.
        to_map: its output, and a gradient of that, -> (n, c, h, w); ``reshape_transform`` of pytorch-grad-cam.
    """

    module: "nn.Module"
    to_map: "Callable[[Any], Tensor]"


def explained_layers(network: "nn.Module", metadata: Mapping[str, Any], layers: Sequence[str]) -> dict[str, Explained]:
    """Name -> what Grad-CAM explains of a network of :func:`load_backbone`.

    Args:
        metadata: the run's.
        layers: stages of our backbones, whose last blocks are explained; a network of a library has one layer of its
            own, which the run's metadata name.

    Raises:
        PipelineError: the network has no such layer.
    """
    from workflow_scripts.models.foreign import Foreign, submodule

    inner = network.network if isinstance(network, Foreign) else network
    name, to_map = str(metadata["backbone"]), map_of(metadata["backbone"], inner)
    if ":" not in name:
        stages = BACKBONES[name].stages
        if unknown := [layer for layer in layers if layer not in stages]:
            raise PipelineError("unknown layer", "settings of saliency", unknown[0], f"choose from {', '.join(stages)}")
        return {layer: Explained(inner.get_submodule(layer)[-1], to_map) for layer in layers}  # type: ignore[index]
    path = str(metadata["layer"])
    if not path:
        advice = "set layer in this network's item of networks"
        raise PipelineError("no layer for Grad-CAM", "networks", name, advice)
    return {path: Explained(submodule(inner, path, "layer"), to_map)}


def load_backbone(weights: Path, run: Path) -> tuple["nn.Module", dict[str, Any]]:
    """A trained network in evaluation mode, and its run's metadata.

    Args:
        weights: ``<run>/<step>.safetensors`` of a pretrain artifact.
        run: ``<run>/run.json`` beside it (keys ``backbone``, ``feature_dim``, ``preprocessing``, ``method``...).

    Returns:
        The network takes images as :func:`~workflow_scripts.models.preprocessing.normalise` gives them, whatever mean
        and deviation it was trained with.

    Raises:
        PipelineError: a file is damaged, or the weights do not match the run's network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        metadata: dict[str, Any] = json.loads(run.read_bytes())
        network = _architecture(metadata)
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError("unreadable run metadata", run, error, "delete the run's artifact and run again") from None
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        value = str(error).splitlines()[0]
        raise PipelineError("weights do not fit", weights, value, "delete the run's artifact and run again") from None
    return _as_ours(network, metadata).eval(), metadata


def random_twin(metadata: Mapping[str, Any]) -> "nn.Module":
    """The architecture of a run's network, in evaluation mode, with random weights from torch's global generator."""
    return _as_ours(_architecture(metadata), metadata).eval()


def _architecture(metadata: Mapping[str, Any]) -> "nn.Module":
    size = int(metadata["preprocessing"]["size"])
    return build_backbone(metadata["backbone"], size, metadata.get("options"))[0]


def _as_ours(network: "nn.Module", metadata: Mapping[str, Any]) -> "nn.Module":
    """A network whose normalisation or feature layer differs from ours, adapted to our backbones' interface."""
    from workflow_scripts.models.foreign import Foreign
    from workflow_scripts.models.preprocessing import MEAN, STD

    seen, features = metadata["preprocessing"], metadata.get("features", "")
    if not features and tuple(seen["mean"]) == MEAN and tuple(seen["std"]) == STD:
        return network
    return Foreign(network, seen["mean"], seen["std"], features, map_of(metadata["backbone"], network))


def start_at_zero(network: "nn.Module") -> int:
    """Set the gain of the batch norm that ends each residual block to 0, so that a block begins as its shortcut.

    As in Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1. Blocks of timm say themselves what ends them;
    those of torchvision's ResNets and of ours end in ``bn3`` or, without one, in ``bn2``.

    Returns:
        The number of blocks that were changed.
    """
    from torch import nn

    found = 0
    for module in network.modules():
        own = getattr(module, "zero_init_last", None)
        last = getattr(module, "bn3", None) or getattr(module, "bn2", None)
        if callable(own):
            own()
        elif hasattr(module, "downsample") and isinstance(last, nn.BatchNorm2d):
            nn.init.zeros_(last.weight)
        else:
            continue
        found += 1
    return found
