"""Image backbones without a classifier, their files, and how images are prepared for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from workflow_scripts.core.errors import PipelineError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
    """torchvision's BasicBlock (two 3 x 3 convolutions and a shortcut), names included.

    torchvision takes longer to import than the demo's networks take to compute a set's features.
    """

    def __init__(self, inside: int, outside: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = downsample

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, inside, h, w) -> (n, outside, h / stride, w / stride)."""
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        inner += maps if self.downsample is None else self.downsample(maps)
        found: torch.Tensor = self.relu(inner)
        return found


class SmallResNet(nn.Module):
    """A narrow ResNet for images of 32 to 64 pixels: one :class:`BasicBlock` per stage, widths 16 to 128.

    The stem is a 3 x 3 convolution of stride 2 without max pooling, so a 48-pixel image keeps a 3 x 3 map in
    ``layer4``; names are torchvision's.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(width, width))
        self.layer2 = _stage(width, 2 * width)
        self.layer3 = _stage(2 * width, 4 * width)
        self.layer4 = _stage(4 * width, 8 * width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.out_features = 8 * width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) float32 -> (n, 128) float32."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return self.avgpool(maps).flatten(1)


def _stage(inside: int, outside: int) -> nn.Sequential:
    shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride=2, bias=False), nn.BatchNorm2d(outside))
    return nn.Sequential(BasicBlock(inside, outside, 2, shortcut))


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """The randomly initialised network ``name`` without its classifier, and the dimension of its features.

    Names: ``resnet18``, ``resnet34``, ``resnet50`` (torchvision), ``resnet_small``. The last convolutional stage is
    ``layer4`` in all of them. (n, 3, h, w) float32, normalised, -> (n, dimension) float32.

    Raises:
        PipelineError: there is no such network.
    """
    if name == "resnet_small":
        small = SmallResNet()
        return small, small.out_features
    if name not in ("resnet18", "resnet34", "resnet50"):
        advice = "take resnet18, resnet34, resnet50 or resnet_small"
        raise PipelineError("unknown backbone", "settings of pretrain", name, advice)
    import torchvision.models

    network = getattr(torchvision.models, name)(weights=None)
    dimension = network.fc.in_features
    network.fc = nn.Identity()
    return network, dimension


def preprocessing(image_size: int) -> dict[str, Any]:
    """How images are prepared for evaluation, as it stands in ``run.json``."""
    return {
        "size": image_size,
        "resize": "shorter side, bilinear",
        "crop": "centre",
        "mean": MEAN,
        "std": STD,
    }


def pixels(image: Image.Image) -> torch.Tensor:
    """An RGB image as a (3, h, w) uint8 tensor."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)


def fit(values: torch.Tensor, size: int, mode: str = "bilinear") -> torch.Tensor:
    """(c, h, w) uint8 -> (c, size, size): shorter side resized, then the centre cut out, both as torchvision does.

    ``mode``: ``bilinear`` (antialiased) or ``nearest-exact``.
    """
    height, width = values.shape[1:]
    if min(height, width) != size:
        height, width = (size * side // min(height, width) for side in (height, width))
        smooth = {"antialias": True, "align_corners": False} if mode == "bilinear" else {}
        values = functional.interpolate(values[None], (height, width), mode=mode, **smooth)[0]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return values[:, top : top + size, left : left + size]


def prepare(image: Image.Image, size: int) -> torch.Tensor:
    """An RGB image as evaluation sees it before :func:`normalise`: (3, size, size) uint8."""
    return fit(pixels(image), size)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) uint8 or float in 0..255 -> float32 with the mean and deviation that all our networks expect."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def load_backbone(weights: Path, run: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network in evaluation mode, and its run's facts.

    Args:
        weights: ``<run>/<step>.safetensors`` of a pretrain artifact.
        run: ``<run>/run.json`` beside it (keys ``backbone``, ``feature_dim``, ``preprocessing``, ``method``...).

    Raises:
        PipelineError: a file is damaged, or the weights are not those of the network that the run names.
    """
    try:
        facts: dict[str, Any] = json.loads(run.read_bytes())
        network, _ = build_backbone(facts["backbone"])
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError("unreadable run facts", run, error, "delete the run's artifact and run again") from None
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        value = str(error).splitlines()[0]
        raise PipelineError("weights do not fit", weights, value, "delete the run's artifact and run again") from None
    return network.eval(), facts
