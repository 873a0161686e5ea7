"""What contrastive losses over the views of pairs share.

``Network.forward`` computes losses outside autocast, so their products of matrices have the precision of the inputs.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

Views = Sequence[Tensor]


def units(rows: Tensor) -> Tensor:
    """(b, d) -> rows of unit length, float32, or float64 if they are."""
    return normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)))


def check_rows(**sides: Tensor) -> None:
    """Check that all sides have rows of the same b >= 1 pairs.

    Raises:
        ValueError: one is empty or not a matrix, or they have different numbers of rows.
    """
    _check(sides, 1)


def check_equal(**sides: Tensor) -> None:
    """Check that all sides have rows of the same b >= 1 pairs and of the same width, so that none is broadcast.

    Raises:
        ValueError: as :func:`check_rows`, or they have different widths.
    """
    _check(sides, 2)


def _check(sides: Mapping[str, Tensor], equal: int) -> None:
    """``equal``: how many of the two dimensions must be the same on all sides."""
    shapes = {name: tuple(side.shape) for name, side in sides.items()}
    if (
        any(len(shape) != 2 or not shape[0] for shape in shapes.values())
        or len({shape[:equal] for shape in shapes.values()}) > 1
    ):
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"a batch has the shape (pairs, width) on all sides, with at least one pair: {shown}")


def similarities(
    views: Views, temperature: float, every: Views | None = None, offset: int = 0
) -> tuple[Tensor, Tensor]:
    """Cosines of this process's views with those of all processes, over the temperature; -inf with the view itself.

    Args:
        views: the m views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        temperature: divides the cosines.
        every: the views of all processes, (n, d) each; this process's own when None.
        offset: where this process's rows begin in ``every``.

    Returns:
        (m * b, m * n) float logits, with the views in order in rows and columns; (m, b) int64 columns of this process's
        views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(**{f"view {number}": view for number, view in enumerate(views)})
    own = [units(view) for view in views]
    candidates = torch.cat(own if every is None else [units(view) for view in every])
    logits = torch.cat(own) @ candidates.T / temperature
    starts = torch.arange(len(views), device=logits.device).unsqueeze(1) * (len(candidates) // len(views))
    columns = starts + torch.arange(len(own[0]), device=logits.device) + offset
    return logits.scatter(1, columns.reshape(-1, 1), float("-inf")), columns


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-sum over columns of target * log softmax(logits), (r, c), (r, c) -> (r,); 0 where a logit is -inf."""
    logs = logits.log_softmax(dim=1)
    return -(targets * logs.masked_fill(logits.isinf(), 0)).sum(dim=1)


def mean_of_pairs(losses: Tensor, weights: Tensor | None, pairs: int) -> Tensor:
    """Mean of the losses of all views of ``pairs`` pairs, each times its pair's weight (pairs,) if there are weights.

    The sum is divided by the number of views, not by that of the weights (as in ALIP, Yang et al. 2023), so that the
    mean over processes is the loss of the joined batch.

    Raises:
        ValueError: there isn't one weight per pair.
    """
    if weights is None:
        return losses.mean()
    if weights.shape != (pairs,):
        raise ValueError(f"weights have the shape {tuple(weights.shape)} instead of ({pairs},), one per pair")
    return (losses.reshape(-1, pairs) * weights).mean()
