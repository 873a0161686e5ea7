"""Language-guided SLIP (El Banani et al. 2023, "Learning Visual Representations via Language-Guided Sampling").

An overlay of the demo with this method::

    tokenizer: {vocabulary: 512, context: 24}
    pretraining:
      lgslip: {embedding: 64, text_width: 64, text_layers: 2, text_heads: 2, projector: [256, 256]}
    runs: # a pair table of captions gives the pairs, and the captions
      - {method: lgslip, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, Sizes
from workflow_scripts.pretraining.methods import clip
from workflow_scripts.pretraining.methods.clip import ClipHead
from workflow_scripts.pretraining.methods.simclr import WithNtXent

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class LgslipHead(ClipHead, WithNtXent):
    """LGSLIP: the settings of CLIP, the projector of both losses, and NT-Xent's settings."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048), examples=[[256, 256]])
    """Widths of the projector's layers before the last, whose width is embedding."""


def heads(settings: LgslipHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The heads of CLIP, with one projector of images for both losses in place of its linear one."""
    from workflow_scripts.pretraining.network import mlp

    project = mlp(width, (*settings.projector, settings.embedding))
    return {**clip.heads(settings, width, sizes), "project": project}


def embed(network: "Network", settings: LgslipHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of both images, which go through the network separately, and of the first one's caption."""
    source, partner = (network.heads["project"](network.backbone(view)) for view in batch.views)
    return source, partner, network.heads["text"](batch.tokens)


def loss(network: "Network", settings: LgslipHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """The images of a pair are contrasted; the first is matched with its caption."""
    from workflow_scripts.pretraining.losses.contrastive import nt_xent

    source, partner, text = rows
    matched = clip.match(network, source, text, batch.weights)
    contrasted = nt_xent(source, partner, settings.nt_xent_temperature, batch.weights)
    return matched + settings.nt_xent_weight * contrasted


METHOD = Method(
    name="lgslip",
    summary="NT-Xent between images with similar captions, and CLIP's loss between the first and its caption "
    "(El Banani et al. 2023)",
    objective=Objective(settings=LgslipHead, heads=heads, embed=embed, loss=loss),
    pairs=("language",),
    views=TWO_VIEWS,
    learns=("tokens",),
    weights=True,
    passes=3,  # the text transformer is counted as a forward pass
)
