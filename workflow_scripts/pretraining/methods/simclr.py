"""SimCLR (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations").

An overlay of the demo with this method::

    pretraining: {simclr: {projector: [256, 256, 64], temperature: 0.1}}
    runs: # two views of an image, and two images with similar captions
      - {method: simclr, pairs: self, augmentation: simclr, seeds: [0, 1, 2]}
      - {method: simclr, pairs: original, augmentation: crop, seeds: [0, 1, 2]}
      - {method: simclr, pairs: revised, augmentation: crop, seeds: [0, 1, 2]}
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, Sizes

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class SimclrHead(Settings):
    """SimCLR: projector and temperature of the NT-Xent loss."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 128), min_length=1, examples=[[256, 256, 64]])
    """Widths of the projector's layers."""
    temperature: PositiveFloat = Field(0.1, examples=[0.2])
    """Temperature of the softmax over cosine similarities."""
    joint_bn: bool = Field(True, exclude_if=bool, examples=[False])
    """Batch norms take their statistics from both views together; false: from each view by itself."""


class WithNtXent(Settings):
    """Settings of methods that add NT-Xent to another loss."""

    nt_xent_temperature: PositiveFloat = Field(0.1, examples=[0.2])
    """Temperature of NT-Xent."""
    nt_xent_weight: PositiveFloat = Field(1.0, examples=[0.5])
    """Weight of NT-Xent; that of CLIP's loss is 1."""


def heads(settings: SimclrHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The projector."""
    from workflow_scripts.pretraining.network import mlp

    return {"projector": mlp(width, settings.projector)}


def embed(network: "Network", settings: SimclrHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """Projections (b, d) float32 of the views, which go through the network as one batch or separately."""
    import torch

    parts = [torch.cat(batch.views)] if settings.joint_bn else batch.views
    rows = torch.cat([network.heads["projector"](network.backbone(part)) for part in parts])
    return rows.float().chunk(len(batch.views))


def loss(network: "Network", settings: SimclrHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """NT-Xent of the two views."""
    from workflow_scripts.pretraining.losses.contrastive import nt_xent

    first, second = rows
    return nt_xent(first, second, settings.temperature, batch.weights)


METHOD = Method(
    name="simclr",
    summary="NT-Xent loss between the two images of a pair and all others of the batch (Chen et al. 2020)",
    objective=Objective(settings=SimclrHead, heads=heads, embed=embed, loss=loss),
    pairs=("self", "language", "visual"),
    views=TWO_VIEWS,
    weights=True,
    passes=2,
)
