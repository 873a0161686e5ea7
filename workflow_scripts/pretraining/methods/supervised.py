"""Supervised training: cross-entropy on ground-truth labels, the ceiling of every evaluation."""

from typing import TYPE_CHECKING

from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import LabelSettings, Method, Objective

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workflow_scripts.pretraining.network import Network


class SupervisedHead(LabelSettings):
    """Supervised: which label is predicted."""


def heads(settings: SupervisedHead, width: int, classes: int) -> "dict[str, nn.Module]":
    """The linear classifier."""
    from torch import nn

    return {"classifier": nn.Linear(width, classes)}


def loss(network: "Network", settings: SupervisedHead, first: "Tensor", second: "Tensor", labels: "Tensor") -> "Tensor":
    """Two views (b, 3, s, s), which go through the network as one batch, and labels (b,) int64 -> scalar loss.

    The loss is the mean over the 2b views of -log softmax of the image's label. Processes have equally many views, so
    the mean over processes is that of the joined batch.
    """
    import torch
    from torch.nn.functional import cross_entropy

    scores = network.heads["classifier"](network.backbone(torch.cat([first, second])))
    return cross_entropy(scores.float(), labels.repeat(2))


METHOD = Method(
    name="supervised",
    summary="cross-entropy on the labels of the training images, the ceiling (only the demo has labels)",
    objective=Objective(settings=SupervisedHead, heads=heads, loss=loss),
    external=False,
    pairs=("labels",),
    augmentations=tuple(AUGMENTATIONS),
    views=2,  # as many as in SimCLR, so that a contrast against it has equal budgets
    passes=2,
)
