"""SwAV (Caron et al. 2020, "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments"), with two
crops of the same size.

An overlay of the demo with this method::

    pretraining:
      swav: {projector: [256, 64], prototypes: 100, frozen_steps: 40, queue: 512, queue_from: 100}
    runs:
      - {method: swav, pairs: self, augmentation: simclr}
      - {method: swav, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.settings import quantity
from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, Sizes, StepSettings

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class SwavHead(StepSettings):
    """SwAV: projector, prototypes, and how images are assigned to them."""

    projector: tuple[PositiveInt, ...] = Field((2048, 128), min_length=1, examples=[[256, 64]])
    """Widths of the projector's layers."""
    prototypes: int = quantity(3_000, unit="prototypes", ge=2, examples=[300])
    """Number of clusters."""
    frozen_steps: int = quantity(2_503, unit="steps", ge=0, examples=[313])
    """Steps at the start in which the prototypes are frozen."""
    epsilon: PositiveFloat = Field(0.05, examples=[0.03])
    """Entropy regularisation; larger values spread an image over more prototypes."""
    iterations: PositiveInt = quantity(3, unit="iterations", examples=[10])
    """Iterations of the Sinkhorn-Knopp algorithm."""
    queue: int = quantity(7_680, unit="projections", ge=0, examples=[3840])
    """Projections of earlier batches that are assigned together with those of a batch, for each of the two views; 0:
    none."""
    queue_from: PositiveInt = quantity(37_500, unit="steps", examples=[15_000])
    """Step from which the queues are filled; they are used once they are full."""
    temperature: PositiveFloat = Field(0.1, examples=[0.2])
    """Temperature of the softmax over prototypes."""

    def without_effect(self, steps: int, batch_size: int) -> str | None:
        """Prototypes that are frozen to the end, or queues that never get full."""
        if self.frozen_steps >= steps:
            return f"swav.frozen_steps is {self.frozen_steps}, but the run has {steps} steps"
        full = self.queue_from + -(-self.queue // batch_size)
        if self.queue and full > steps:
            filled = f"filled from step {self.queue_from} (swav.queue_from) and first used in step {full}"
            return f"swav.queue (0: none) is {self.queue}, {filled}, but the run has {steps} steps"
        return None


def heads(settings: SwavHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The projector, the prototypes, and the queue of each view."""
    from torch import nn

    from workflow_scripts.pretraining.losses.queue import Queue
    from workflow_scripts.pretraining.network import mlp

    last = settings.projector[-1]
    queues = [Queue(settings.queue, last) for _ in TWO_VIEWS if settings.queue]
    return {
        "projector": mlp(width, settings.projector),
        "prototypes": nn.Linear(last, settings.prototypes, bias=False),
        "queues": nn.ModuleList(queues),
    }


def embed(network: "Network", settings: SwavHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of both views, which go through the network separately."""
    return tuple(network.heads["projector"](network.backbone(view)) for view in batch.views)


def loss(network: "Network", settings: SwavHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Each view predicts to which prototypes the other is assigned."""
    import torch

    from workflow_scripts.pretraining.losses.contrastive import units
    from workflow_scripts.pretraining.losses.swapped_assignments import prototype_scores, swav_loss

    prototypes = network.get_parameter("heads.prototypes.weight")
    with torch.no_grad():
        prototypes.copy_(units(prototypes))
    first, second = rows
    assigned = [_assigned(network, settings, batch.step, number, view) for number, view in enumerate((first, second))]
    scores = (prototype_scores(first, prototypes), prototype_scores(second, prototypes))
    return swav_loss(scores, (assigned[0], assigned[1]), settings.temperature)


def _assigned(network: "Network", settings: SwavHead, step: int, view: int, projected: "Tensor") -> "Tensor":
    """(b, d) projections of a view -> (b, k) shares of prototypes, found for all processes and the queue together."""
    import torch

    from workflow_scripts.pretraining.losses.gather import all_rows
    from workflow_scripts.pretraining.losses.queue import Queue
    from workflow_scripts.pretraining.losses.swapped_assignments import prototype_scores, sinkhorn

    gathered, offset = all_rows(projected.detach())
    candidates = gathered
    if settings.queue:
        queue = network.get_submodule(f"heads.queues.{view}")
        assert isinstance(queue, Queue)
        # By the step and not by the queue's state, for which the processor would wait for the GPU.
        if (step - settings.queue_from) * len(gathered) >= settings.queue:
            candidates = torch.cat([queue.rows, gathered])
        if step >= settings.queue_from:
            queue.add(gathered)
    scores = prototype_scores(candidates, network.get_parameter("heads.prototypes.weight").detach())
    begin = len(candidates) - len(gathered) + offset
    return sinkhorn(scores, settings.epsilon, settings.iterations)[begin : begin + len(projected)]


def freeze(network: "Network", settings: SwavHead, step: int) -> None:
    """Leave the prototypes as they are in the first steps."""
    if step <= settings.frozen_steps:
        network.get_parameter("heads.prototypes.weight").grad = None


METHOD = Method(
    name="swav",
    summary="each image of a pair predicts the cluster of the other (Caron et al. 2020)",
    objective=Objective(settings=SwavHead, heads=heads, embed=embed, loss=loss, before_update=freeze),
    pairs=("self", "language", "visual"),
    views=TWO_VIEWS,
    passes=2,
)
