"""NNCLR (Dwibedi et al. 2021, "With a Little Help from My Friends: Nearest-Neighbor Contrastive Learning of Visual
Representations").

An overlay of the demo with this method::

    pretraining: {nnclr: {projector: [256, 256, 64], predictor: 256, queue: 1024}}
    runs:
      - {method: nnclr, pairs: self, augmentation: simclr}
      - {method: nnclr, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, Sizes
from workflow_scripts.pretraining.methods.simsiam import embed

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class NnclrHead(Settings):
    """NNCLR: projector, predictor, and the queue in which nearest neighbours are found."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 256), min_length=1, examples=[[256, 256, 64]])
    """Widths of the projector's layers."""
    predictor: PositiveInt = Field(4096, examples=[256])
    """Hidden width of the predictor."""
    queue: PositiveInt = quantity(16_384, unit="projections", examples=[4096])
    """Projections of earlier batches among which the nearest neighbours are found."""
    temperature: PositiveFloat = Field(0.1, examples=[0.2])
    """Temperature of the softmax over cosine similarities."""


def heads(settings: NnclrHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The projector, the predictor, and the queue."""
    from workflow_scripts.pretraining.losses.queue import Queue
    from workflow_scripts.pretraining.network import mlp

    last = settings.projector[-1]
    return {
        "projector": mlp(width, settings.projector),
        "predictor": mlp(last, (settings.predictor, last)),
        "queue": Queue(settings.queue, last),
    }


def loss(network: "Network", settings: NnclrHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Each view predicts the neighbour of the other; neighbours are found before the second view enters the queue."""
    from workflow_scripts.pretraining.losses.contrastive import nnclr_loss
    from workflow_scripts.pretraining.losses.gather import all_rows
    from workflow_scripts.pretraining.losses.queue import Queue

    queue = network.heads["queue"]
    assert isinstance(queue, Queue)
    first, second, *predicted = rows
    neighbours = (queue.nearest(first), queue.nearest(second))
    queue.add(all_rows(second.detach())[0])
    return nnclr_loss((predicted[0], predicted[1]), neighbours, settings.temperature)


METHOD = Method(
    name="nnclr",
    summary="each image of a pair predicts the nearest neighbour of the other among earlier images "
    "(Dwibedi et al. 2021)",
    objective=Objective(settings=NnclrHead, heads=heads, embed=embed, loss=loss),
    pairs=("self", "language", "visual"),
    views=TWO_VIEWS,
    passes=2,
)
