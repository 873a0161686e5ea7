"""A backbone with the heads of its method, whose ``forward`` gives the loss of a batch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from workflow_scripts.pretraining.batch import Batch
from workflow_scripts.pretraining.losses.gather import all_sum

MOMENTUM = 0.99
Embed = Callable[["Network", Batch], tuple[torch.Tensor, ...]]
Loss = Callable[["Network", Batch, Sequence[torch.Tensor]], torch.Tensor]


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
