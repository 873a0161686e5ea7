"""What a run trains: a backbone with the heads of its method, whose ``forward`` gives the loss of a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.losses.gather import all_sum
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stats.seeds import derive

MOMENTUM = 0.99
NO_SIZES = Sizes()  # of methods that learn from images alone


class Batch(NamedTuple):
    """One process's part of the batch of a step, b pairs, on its device.

    A named tuple passes through ``DistributedDataParallel`` and ``accelerate`` as its fields do. Fields that the
    method does not learn from are None.

    Attributes:
        views: of each view that the method declares, (b, 3, s, s) float32, normalised.
        step: number of the step, counted from 1.
        tokens: (b, n) int64, of the captions of the pairs' sources, n the longest of them.
        caption_ids: (b,) int64, equal for sources with the same caption.
        vectors: (b, d) float32, sentence vectors of the captions.
        scores: (b,) float32, how faithful the captions of the pairs are; NaN if unknown. None: pairs have no weights.
        weights: (b,) float32, of the pairs, which the network makes from their scores. None: 1.
        labels: (b,) int64, of the sources.
    """

    views: tuple[Tensor, ...]
    step: int
    tokens: Tensor | None = None
    caption_ids: Tensor | None = None
    vectors: Tensor | None = None
    scores: Tensor | None = None
    weights: Tensor | None = None
    labels: Tensor | None = None

    def every(self, nth: int, first: int) -> "Batch":
        """Its pairs ``first``, ``first + nth`` and so on; with any number of processes, the same pairs in all parts.

        Views of the same memory. ``b`` must be a multiple of ``nth``.
        """
        rows = slice(first, None, nth)
        fields = self._asdict().items()
        cut: dict[str, Any] = {name: values[rows] for name, values in fields if isinstance(values, Tensor)}
        return self._replace(views=tuple(view[rows] for view in self.views), **cut)


Embed = Callable[["Network", Batch], tuple[Tensor, ...]]
Loss = Callable[["Network", Batch, Sequence[Tensor]], Tensor]


def pair_weights(scores: Tensor, mean: Tensor) -> Tensor:
    """min(1, exp(score - mean)^2) (Yang et al. 2023, section 3.3, and its code).

    Args:
        scores: (b,) float; NaN where a pair has none, whose weight is 1.
        mean: scalar, the running mean of scores.

    Returns:
        (b,) float32 in (0, 1].
    """
    weights = (2 * (scores.double() - mean)).exp().clamp(max=1)
    return weights.nan_to_num(1.0).float()


class PairWeights(nn.Module):
    """Weights of each batch's pairs by how faithful their captions are (Yang et al. 2023, "ALIP", arXiv 2308.08428).

    They are made from the pairs' scores and the running mean of scores, this batch's included.

    The mean is a buffer, so it is part of checkpoints. It is that of all processes, and the same on each. It starts at
    the mean of the first batch with scores; ALIP's code starts it at 1.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(float("nan"), dtype=torch.float64))

    @torch.no_grad()
    def forward(self, scores: Tensor) -> Tensor:
        """Scores (b,) float, NaN if unknown -> weights (b,) float32, once the mean has moved towards theirs."""
        known = ~scores.isnan()
        sums = all_sum(torch.stack([scores.double().nan_to_num(0).sum(), known.sum().double()]))
        now = sums[0] / sums[1]
        # The first batch is its own mean; without any score, `now` is NaN, and the mean stays what it is.
        moved = torch.where(self.mean.isnan(), now, MOMENTUM * self.mean + (1 - MOMENTUM) * now)
        self.mean.copy_(torch.where(now.isnan(), self.mean, moved))
        return pair_weights(scores, self.mean)


class Network(nn.Module):
    """The trained modules: ``backbone``, and those of the method in ``heads``; ``weigh`` makes weights of pairs."""

    def __init__(
        self,
        backbone: nn.Module,
        heads: Mapping[str, nn.Module],
        embed: Embed,
        loss: Loss,
        weigh: PairWeights | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.heads, self.weigh = backbone, nn.ModuleDict(heads), weigh
        self.embed, self.loss = embed, loss

    def forward(self, batch: Batch, gradients: Sequence[torch.Tensor | None] | None = None) -> torch.Tensor:
        """This process's part of a batch -> scalar loss.

        With ``gradients`` of a loss by what :meth:`embedded` gives (None: 0) -> a scalar with the same gradients.
        """
        rows = self.embedded(batch)
        if gradients is None:
            return self.compared(batch, rows)
        pairs = zip(rows, gradients, strict=True)
        return torch.stack([(row * gradient).sum() for row, gradient in pairs if gradient is not None]).sum()

    def embedded(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """What the method compares: tensors with one row per pair, at least float32, also if autocast computes them."""
        return tuple(row.to(torch.promote_types(row.dtype, torch.float32)) for row in self.embed(self, batch))

    def compared(self, batch: Batch, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        """The scalar loss of what :meth:`embedded` gave; called once per step, as queues and means move on.

        Never in mixed precision: products of matrices would be of 16 bits, whatever the type of their inputs.

        Raises:
            ValueError: there isn't one row per pair.
        """
        if {len(row) for row in rows} != {len(batch.views[0])}:
            shapes = ", ".join(str(tuple(row.shape)) for row in rows)
            raise ValueError(f"rows of the shapes {shapes} for {len(batch.views[0])} pairs")
        if self.weigh is not None:
            batch = batch._replace(weights=self.weigh(batch.scores))
        with torch.autocast(batch.views[0].device.type, enabled=False):
            return self.loss(self, batch, rows)


def mlp(inside: int, widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with batch norm and ReLU between them; the last one is only linear."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inside, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        inside = width
    return nn.Sequential(*layers, nn.Linear(inside, widths[-1], bias=False))


def seeded_backbone(name: str, seed: int, image_size: int) -> tuple[nn.Module, int]:
    """The initial backbone of every run with ``seed``, for any method, and the width of its features."""
    torch.manual_seed(derive(seed, "backbone"))
    return build_backbone(name, image_size)


def build_network(settings: Pretrain, sizes: Sizes = NO_SIZES) -> Network:
    """Backbone and heads of a run, initialised by its seed; ``sizes`` are those of what it learns from."""
    objective = METHODS[settings.method].objective
    if objective is None:
        raise ValueError(f"method {settings.method} has no network to train")
    backbone, width = seeded_backbone(settings.backbone, settings.seed, settings.image_size)
    if objective.start is not None:
        objective.start(settings.head, backbone)
    torch.manual_seed(derive(settings.seed, "heads"))
    heads = objective.heads(settings.head, width, sizes)
    weigh = PairWeights() if settings.weighted else None
    return Network(
        backbone,
        heads,
        lambda network, batch: objective.embed(network, settings.head, batch),
        lambda network, batch, rows: objective.loss(network, settings.head, batch, rows),
        weigh,
    )
