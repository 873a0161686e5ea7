"""SimCLR (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations")."""

from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import Method, Objective

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workflow_scripts.pretraining.network import Network


class SimclrHead(Settings):
    """SimCLR: projector and temperature of the NT-Xent loss."""

    projector: tuple[PositiveInt, ...] = Field(
        (2048, 2048, 128), min_length=1, description="widths of the projector's layers", examples=[[256, 256, 64]]
    )
    temperature: PositiveFloat = Field(
        0.1, description="temperature of the softmax over cosine similarities", examples=[0.2]
    )
    joint_bn: bool = Field(
        True,
        exclude_if=bool,
        description="batch norms take their statistics from both views together; false: from each view by itself",
        examples=[False],
    )


def heads(settings: SimclrHead, width: int, vocabulary: int) -> "dict[str, nn.Module]":
    """The projector."""
    from torch import nn

    from workflow_scripts.pretraining.network import mlp

    return {"projector": nn.Sequential(*mlp(width, settings.projector))}


def loss(network: "Network", settings: SimclrHead, first: "Tensor", second: "Tensor") -> "Tensor":
    """Two views (b, 3, s, s), which go through the network as one batch or one by one, -> scalar loss."""
    import torch

    from workflow_scripts.pretraining.distributed.gather import all_rows

    batches = [torch.cat([first, second])] if settings.joint_bn else [first, second]
    projected = [network.heads["projector"](network.backbone(batch)) for batch in batches]
    one, two = torch.cat(projected).float().chunk(2)
    all_one, offset = all_rows(one)
    return nt_xent(one, two, settings.temperature, (all_one, all_rows(two)[0]), offset)


def nt_xent(
    first: "Tensor", second: "Tensor", temperature: float, every: "tuple[Tensor, Tensor] | None" = None, offset: int = 0
) -> "Tensor":
    """NT-Xent, mean over both directions (Chen et al. 2020, eq. 1).

    Args:
        first: (b, d) float, one view of each pair; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        temperature: divides the cosine similarities.
        every: both views of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``every``.

    Returns:
        Scalar float32: mean over the 2b anchors of -log softmax of the partner among the other 2n - 1 views.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    first, second = normalize(first.float()), normalize(second.float())
    all_first, all_second = every or (first, second)
    candidates = torch.cat([normalize(all_first.float()), normalize(all_second.float())])
    logits = torch.cat([first, second]) @ candidates.T / temperature
    own = torch.arange(len(first), device=first.device) + offset
    other = own + len(all_first)
    itself = torch.cat([own, other]).unsqueeze(1)
    logits = logits.scatter(1, itself, float("-inf"))
    return cross_entropy(logits, torch.cat([other, own]))


METHOD = Method(
    name="simclr",
    summary="NT-Xent loss between the two images of a pair and all others of the batch (Chen et al. 2020)",
    objective=Objective(settings=SimclrHead, heads=heads, loss=loss),
    external=False,
    pairs=("self", "language", "visual"),
    augmentations=tuple(AUGMENTATIONS),
    views=2,
    passes=2,
)
