"""Weights of pairs by how faithful their captions are (Yang et al. 2023, "ALIP", arXiv 2308.08428, section 3.3)."""

import torch
from torch import Tensor, nn

from workflow_scripts.pretraining.distributed.gather import all_sum

MOMENTUM = 0.99


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
    """Weights of each batch's pairs by their scores and the running mean of scores, this batch's included.

    The mean is a buffer, so it is part of checkpoints. It is that of all processes, and the same on each. It starts at
    the mean of the first batch with scores; ALIP's code starts it at 1.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(float("nan"), dtype=torch.float64))

    @torch.no_grad()
    def forward(self, scores: Tensor) -> Tensor:
        """Scores (b,) float, NaN where there is none -> weights (b,) float32, once the mean has moved towards theirs.

        Raises:
            ValueError: wrong shape, or no pairs.
        """
        if scores.dim() != 1 or not len(scores):
            raise ValueError(f"scores have the shape {tuple(scores.shape)}, but there must be one per pair")
        known = ~scores.isnan()
        sums = all_sum(torch.stack([scores.double().nan_to_num(0).sum(), known.sum().double()]))
        now = sums[0] / sums[1]
        # The first batch is its own mean; without any score, `now` is NaN, and the mean stays what it is.
        moved = torch.where(self.mean.isnan(), now, MOMENTUM * self.mean + (1 - MOMENTUM) * now)
        self.mean.copy_(torch.where(now.isnan(), self.mean, moved))
        return pair_weights(scores, self.mean)
