"""The loss of SwAV (Caron et al. 2020, "Unsupervised Learning of Visual Features by Contrasting Cluster
Assignments")."""

import torch
from torch import Tensor

from workflow_scripts.pretraining.losses.contrastive import soft_cross_entropy, units


def prototype_scores(rows: Tensor, prototypes: Tensor) -> Tensor:
    """(n, d) float rows of any length, (k, d) float prototypes of unit length -> (n, k) float cosines."""
    return units(rows) @ prototypes.T


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Soft assignment of rows to prototypes, all of which get about the same number (Caron et al. 2020, eq. 3 to 5).

    Starts with exp(scores / epsilon); each iteration scales columns, then rows, to equal sums.

    Args:
        scores: (n, k) float, of the rows of all processes together, so that every process finds the same.
        epsilon: the larger, the more even are the assignments.
        iterations: 3 in the paper.

    Returns:
        (n, k) float without gradient; each row sums to 1.
    """
    # Factors of columns are scaled away, so each can have the largest value 1: none overflows, nor becomes 0 as a whole
    # where a prototype is far from all rows. Nor may a row become 0.
    kernel = ((scores - scores.amax(dim=0)) / epsilon).exp().clamp(min=torch.finfo(scores.dtype).tiny)
    # Factors of rows and columns instead of the scaled matrix: two products per iteration read it, and none writes it.
    rows = scores.new_ones(len(scores))
    for _ in range(iterations):
        columns = 1 / (kernel.T @ rows * scores.shape[1])
        rows = 1 / (kernel @ columns * len(scores))
    return kernel * columns * (rows * len(scores)).unsqueeze(1)


def swav_loss(scores: tuple[Tensor, Tensor], assignments: tuple[Tensor, Tensor], temperature: float) -> Tensor:
    """Cross-entropy of each view's prediction and the assignment of the other (Caron et al. 2020, eq. 1 and 2).

    -sum over prototypes k of q_k log p_k, with p the softmax over prototypes of scores / temperature.

    Args:
        scores: (b, k) float of both views.
        assignments: (b, k) float of both views, rows sum to 1.
        temperature: divides the scores.

    Returns:
        Scalar float: mean over rows and both views.
    """
    first, second = (
        soft_cross_entropy(predicted / temperature, assigned.detach()).mean()
        for predicted, assigned in zip(scores, assignments[::-1], strict=True)
    )
    return (first + second) / 2
