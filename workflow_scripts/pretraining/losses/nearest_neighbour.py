"""The loss of NNCLR (Dwibedi et al. 2021, "With a Little Help from My Friends")."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workflow_scripts.pretraining.losses.views import check_equal, units


def nnclr_loss(
    predicted: tuple[Tensor, Tensor],
    neighbours: tuple[Tensor, Tensor],
    temperature: float,
    every: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
) -> Tensor:
    """InfoNCE between the prediction of each view and the nearest neighbour of the other (Dwibedi et al. 2021, eq. 3).

    With unit vectors p of predictions and n of neighbours, -log softmax over k of p_i . n_k / temperature at k = i, for
    both views. The softmax is over neighbours, as in the code of language-guided SSL; in eq. 3 it is over predictions.

    Args:
        predicted: (b, d) float of both views; rows need not be of unit length.
        neighbours: (b, d) float, of the projections of both views; no gradient reaches them.
        temperature: divides the cosines.
        every: neighbours of all processes, (n, d) each; this process's own when None.
        offset: where this process's rows begin in ``every``.

    Returns:
        Scalar float: mean over rows and both views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(first=predicted[0], second=predicted[1], neighbours=neighbours[0], others=neighbours[1])
    candidates = [units(side.detach()) for side in every or neighbours]
    target = torch.arange(len(predicted[0]), device=predicted[0].device) + offset
    one, two = (
        cross_entropy(units(own) @ other.T / temperature, target)
        for own, other in zip(predicted, candidates[::-1], strict=True)
    )
    return (one + two) / 2
