"""CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision").

An overlay of the demo with this method::

    tokenizer: {vocabulary: 512, context: 24}
    pretraining:
      clip: {embedding: 64, text_width: 64, text_layers: 2, text_heads: 2}
    runs: # its pairs are an arm, whose captions it reads
      - {method: clip, pairs: original, augmentation: crop}
      - {method: clip, pairs: revised, augmentation: crop}
"""

import math
from collections.abc import Sequence
from operator import not_
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PositiveInt, model_validator

from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.pretraining.method import Method, Objective, Sizes, View

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


LEARNED_TEMPERATURE: Any = Field(
    0.07, ge=0.01, description="initial temperature; it is learned, and stays above 0.01 as in CLIP", examples=[0.1]
)
"""Its lower bound follows from ``losses.contrastive.LARGEST_SCALE``."""


class ClipHead(Settings):
    """CLIP: shared embedding and text transformer."""

    embedding: PositiveInt = Field(512, examples=[256])
    """Width of the embedding that image and text share."""
    text_width: PositiveInt = Field(512, examples=[256])
    """Width of the text transformer."""
    text_layers: PositiveInt = quantity(12, unit="layers", examples=[4])
    """Layers of the text transformer."""
    text_heads: PositiveInt = quantity(8, unit="heads", examples=[4])
    """Attention heads of the text transformer; text_width must be a multiple."""
    original_text: bool = Field(False, exclude_if=not_, examples=[True])
    """true: the text transformer has QuickGELU and the initial weights of CLIP's code; false: GELU and PyTorch's
    initial weights."""
    temperature: float = LEARNED_TEMPERATURE

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width {self.text_width} is not a multiple of text_heads {self.text_heads}")
        return self


def heads(settings: ClipHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """Projection of images, text transformer, and the learned logit scale."""
    from workflow_scripts.models.text.tower import TextTower

    project = projection(width, settings.embedding)
    text = TextTower(
        sizes.vocabulary,
        sizes.end,
        sizes.context,
        settings.text_width,
        settings.text_layers,
        settings.text_heads,
        settings.embedding,
        settings.original_text,
    )
    return {"project": project, "text": text, "scale": logit_scale(settings.temperature)}


def projection(width: int, embedding: int) -> "nn.Linear":
    """A linear layer without bias, (b, width) -> (b, embedding), whose weights have standard deviation width^-1/2."""
    from torch import nn

    layer = nn.Linear(width, embedding, bias=False)
    nn.init.normal_(layer.weight, std=width**-0.5)
    return layer


def logit_scale(temperature: float) -> "nn.ParameterDict":
    """The learned factor of cosines, as its logarithm ``log``."""
    import torch
    from torch import nn

    return nn.ParameterDict({"log": nn.Parameter(torch.tensor(-math.log(temperature)))})


def embed(network: "Network", settings: ClipHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of one view and of the tokens of its caption."""
    return network.heads["project"](network.backbone(batch.views[0])), network.heads["text"](batch.tokens)


def loss(network: "Network", settings: ClipHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Images are matched with their captions."""
    image, text = rows
    return match(network, image, text, batch.weights)


def match(network: "Network", image: "Tensor", text: "Tensor", weights: "Tensor | None") -> "Tensor":
    """CLIP's loss of this process's (b, d) images and texts among those of all processes, by the learned scale."""
    import torch

    from workflow_scripts.pretraining.losses.contrastive import LARGEST, clip_loss

    log_scale = network.get_parameter("heads.scale.log")
    # Beyond the bound its gradient would stay 0, so the parameter itself is clamped.
    with torch.no_grad():
        log_scale.clamp_(max=LARGEST)
    return clip_loss(image, text, log_scale, weights)


METHOD = Method(
    name="clip",
    summary="symmetric InfoNCE between images and their captions (Radford et al. 2021)",
    objective=Objective(settings=ClipHead, heads=heads, embed=embed, loss=loss),
    pairs=("caption",),
    views=(View("source"),),
    learns=("tokens",),
    weights=True,
    passes=2,  # the text transformer is counted as a second forward pass
)
