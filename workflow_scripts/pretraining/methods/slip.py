"""SLIP (Mu et al. 2022, "SLIP: Self-supervision Meets Language-Image Pre-training").

An overlay of the demo with this method::

    tokenizer: {vocabulary: 512, context: 24}
    pretraining:
      slip: {embedding: 64, text_width: 64, text_layers: 2, text_heads: 2, projector: [256, 256, 64]}
    runs:
      - {method: slip, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.pretraining.method import Method, Objective, Sizes, View
from workflow_scripts.pretraining.methods import clip
from workflow_scripts.pretraining.methods.clip import ClipHead
from workflow_scripts.pretraining.methods.simclr import WithNtXent

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class SlipHead(ClipHead, WithNtXent):
    """SLIP: the settings of CLIP, and those of its NT-Xent loss."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 128), min_length=1, examples=[[256, 256, 64]])
    """Widths of the layers of the projector for NT-Xent."""


def heads(settings: SlipHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The heads of CLIP, and the projector."""
    from workflow_scripts.pretraining.network import mlp

    return {**clip.heads(settings, width, sizes), "projector": mlp(width, settings.projector)}


def embed(network: "Network", settings: SlipHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of the three views, which go through the network separately, and of the caption."""
    captioned, first, second = (network.backbone(view) for view in batch.views)
    projector = network.heads["projector"]
    contrasted = projector(first), projector(second)
    return network.heads["project"](captioned), *contrasted, network.heads["text"](batch.tokens)


def loss(network: "Network", settings: SlipHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """The first view is matched with the caption, the others are contrasted."""
    from workflow_scripts.pretraining.losses.contrastive import nt_xent

    image, first, second, text = rows
    contrasted = nt_xent(first, second, settings.nt_xent_temperature)
    matched = clip.match(network, image, text, batch.weights)  # NT-Xent does not depend on captions
    return matched + settings.nt_xent_weight * contrasted


METHOD = Method(
    name="slip",
    summary="CLIP's loss and, between two more views with SimCLR's augmentation, NT-Xent (Mu et al. 2022)",
    objective=Objective(settings=SlipHead, heads=heads, embed=embed, loss=loss),
    pairs=("caption",),
    views=(View("source"), View("source", "simclr"), View("source", "simclr")),
    learns=("tokens",),
    weights=True,
    passes=4,  # the text transformer is counted as a forward pass
)
