"""SimSiam (Chen and He 2021, "Exploring Simple Siamese Representation Learning").

An overlay of the demo with this method::

    pretraining: {simsiam: {projector: [256, 256, 256], predictor: 64}}
    runs:
      - {method: simsiam, pairs: self, augmentation: simclr}
      - {method: simsiam, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from operator import not_
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, Sizes

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class SimsiamHead(Settings):
    """SimSiam: projector, and hidden width of the predictor."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 2048), min_length=1, examples=[[256, 256, 256]])
    """Widths of the projector's layers."""
    final_affine: bool = Field(False, exclude_if=not_, examples=[True])
    """Gain and bias in the batch norm that ends the projector; SimSiam has none there."""
    zero_init_last: bool = Field(False, exclude_if=not_, examples=[True])
    """true: the gain of the batch norm that ends each residual block of the backbone starts at 0, so initial weights
    differ from those of other methods with the same seed. timm's ResNets always start like this; backbones without such
    blocks are an error."""
    predictor: PositiveInt = Field(512, examples=[64])
    """Hidden width of the predictor."""


def heads(settings: SimsiamHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The projector, which ends in a batch norm, and the predictor."""
    from torch import nn

    from workflow_scripts.pretraining.network import mlp

    last = settings.projector[-1]
    return {
        "projector": mlp(width, settings.projector).append(nn.BatchNorm1d(last, affine=settings.final_affine)),
        "predictor": mlp(last, (settings.predictor, last)),
    }


def start(settings: SimsiamHead, backbone: "nn.Module") -> None:
    """Let the residual blocks of the backbone start at zero, if the settings say so.

    Raises:
        PipelineError: it has no such blocks.
    """
    from workflow_scripts.models.backbones import start_at_zero

    if settings.zero_init_last and not start_at_zero(backbone):
        value, advice = "no residual block ends in a batch norm", "set it to false, or use a ResNet as backbone"
        raise PipelineError("zero_init_last has no effect", "pretraining.simsiam, zero_init_last", value, advice)


def embed(network: "Network", settings: Settings, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of both views, which go through the network separately, and the predictions from them."""
    projector, predictor = network.heads["projector"], network.heads["predictor"]
    first, second = (projector(network.backbone(view)) for view in batch.views)
    return first, second, predictor(first), predictor(second)


def loss(network: "Network", settings: SimsiamHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Each view predicts the projection of the other."""
    first, second, *predictions = rows
    return symmetric_loss((predictions[0], predictions[1]), (first, second), batch.weights)


def symmetric_loss(
    predicted: "tuple[Tensor, Tensor]", projected: "tuple[Tensor, Tensor]", weights: "Tensor | None" = None
) -> "Tensor":
    """D(p1, z2)/2 + D(p2, z1)/2 (Chen and He 2021, eq. 4); all (b, d) float, weights of pairs (b,) -> scalar."""
    (p1, p2), (z1, z2) = predicted, projected
    return (negative_cosine(p1, z2, weights) + negative_cosine(p2, z1, weights)) / 2


def negative_cosine(predicted: "Tensor", projected: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
    """-cosine of prediction and projection, mean over rows; no gradient into the latter (Chen and He 2021, eq. 1, 3).

    (b, d), (b, d) float, and (b,) float weights or None for 1 -> scalar float32 in [-1, 1].
    """
    from torch.nn.functional import cosine_similarity

    from workflow_scripts.pretraining.losses.contrastive import mean_of_pairs

    cosines = cosine_similarity(predicted.float(), projected.detach().float(), dim=1)
    return -mean_of_pairs(cosines, weights)


METHOD = Method(
    name="simsiam",
    summary="each image of a pair predicts the projection of the other, without negatives (Chen and He 2021)",
    objective=Objective(settings=SimsiamHead, heads=heads, embed=embed, loss=loss, start=start),
    pairs=("self", "language", "visual"),
    views=TWO_VIEWS,
    weights=True,
    passes=2,
)
