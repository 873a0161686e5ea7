"""NT-Xent (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations")."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from workflow_scripts.pretraining.losses.views import Views, mean_of_pairs, similarities


def nt_xent(
    first: Tensor,
    second: Tensor,
    temperature: float,
    every: Views | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """NT-Xent, mean over both directions (Chen et al. 2020, eq. 1).

    Args:
        first: (b, d) float, one view of each pair; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        temperature: divides the cosine similarities.
        every: both views of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``every``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over the 2b anchors of -log softmax of the partner among the other 2n - 1 views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    logits, columns = similarities((first, second), temperature, every, offset)
    losses = cross_entropy(logits, columns.flip(0).flatten(), reduction="mean" if weights is None else "none")
    return mean_of_pairs(losses, weights, len(first))
