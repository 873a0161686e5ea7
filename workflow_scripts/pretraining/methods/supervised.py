"""Supervised training: cross-entropy on ground-truth labels, the ceiling of every evaluation.

An overlay of the demo with this method::

    pretraining: {supervised: {label: concept}}
    runs: # only the demo's images have labels
      - {method: supervised, pairs: labels, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_scripts.pretraining.method import TWO_VIEWS, LabelSettings, Method, Objective, Sizes

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class SupervisedHead(LabelSettings):
    """Supervised: which label is predicted."""


def heads(settings: SupervisedHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The linear classifier."""
    from torch import nn

    return {"classifier": nn.Linear(width, sizes.labels)}


def embed(network: "Network", settings: SupervisedHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The scores of labels of both views, which go through the network as one batch."""
    import torch

    return network.heads["classifier"](network.backbone(torch.cat(batch.views))).float().chunk(2)


def loss(network: "Network", settings: SupervisedHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Cross-entropy of the scores.

    The loss is the mean over the 2b views of -log softmax of the image's label. Processes have equally many views, so
    the mean over processes is that of the joined batch.
    """
    import torch
    from torch.nn.functional import cross_entropy

    assert batch.labels is not None
    return cross_entropy(torch.cat(tuple(rows)), batch.labels.repeat(2))


METHOD = Method(
    name="supervised",
    summary="cross-entropy on the labels of the training images, the ceiling (only the demo has labels)",
    objective=Objective(settings=SupervisedHead, heads=heads, embed=embed, loss=loss),
    pairs=("labels",),
    views=TWO_VIEWS,  # as many as in SimCLR, so that a contrast against it has equal budgets
    learns=("labels",),
    passes=2,
)
