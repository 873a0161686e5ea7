"""Contrastive losses: NT-Xent, and those of CLIP, StableRep and NNCLR.

``Network.forward`` computes losses outside autocast, so their products of matrices have the precision of the inputs.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

Views = Sequence[Tensor]
LARGEST_SCALE = 100.0
LARGEST = math.log(LARGEST_SCALE) - 1e-6
"""Bound of the learned logarithm, a little lower: exp rounds up to 100.00001, which is cut off, with its gradient."""


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
    views: Views, temperature: float, gathered: Views | None = None, offset: int = 0
) -> tuple[Tensor, Tensor]:
    """Cosines of this process's views with those of all processes, over the temperature; -inf with the view itself.

    Args:
        views: the m views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        temperature: divides the cosines.
        gathered: the views of all processes, (n, d) each; this process's own when None.
        offset: where this process's rows begin in ``gathered``.

    Returns:
        (m * b, m * n) float logits, with the views in order in rows and columns; (m, b) int64 columns of this process's
        views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(**{f"view {number}": view for number, view in enumerate(views)})
    unit_views = [units(view) for view in views]
    candidates = torch.cat(unit_views if gathered is None else [units(view) for view in gathered])
    logits = torch.cat(unit_views) @ candidates.T / temperature
    starts = torch.arange(len(views), device=logits.device).unsqueeze(1) * (len(candidates) // len(views))
    columns = starts + torch.arange(len(unit_views[0]), device=logits.device) + offset
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


def nt_xent(
    first: Tensor,
    second: Tensor,
    temperature: float,
    gathered: Views | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """NT-Xent, mean over both directions (Chen et al. 2020, eq. 1).

    Args:
        first: (b, d) float, one view of each pair; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        temperature: divides the cosine similarities.
        gathered: both views of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``gathered``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over the 2b anchors of -log softmax of the partner among the other 2n - 1 views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    logits, columns = similarities((first, second), temperature, gathered, offset)
    losses = cross_entropy(logits, columns.flip(0).flatten(), reduction="mean" if weights is None else "none")
    return mean_of_pairs(losses, weights, len(first))


def clip_loss(
    images: Tensor,
    texts: Tensor,
    log_scale: Tensor,
    gathered: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """Symmetric InfoNCE of images and texts (Radford et al. 2021, figure 3).

    Args:
        images: (b, d) float, need not be of unit length.
        texts: (b, d) float, row by row.
        log_scale: scalar; logits are cosine * min(exp(log_scale), 100) (section 2.5).
        gathered: images and texts of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``gathered``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float, mean over rows of both directions.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(images=images, texts=texts)
    images, texts = units(images), units(texts)
    all_images, all_texts = gathered or (images, texts)
    scale = log_scale.float().exp().clamp(max=LARGEST_SCALE)
    target = torch.arange(len(images), device=images.device) + offset
    reduction = "mean" if weights is None else "none"
    to_text = cross_entropy(scale * images @ units(all_texts).T, target, reduction=reduction)
    to_image = cross_entropy(scale * texts @ units(all_images).T, target, reduction=reduction)
    return mean_of_pairs((to_text + to_image) / 2, weights, len(images))


def multi_positive_loss(
    views: Views,
    classes: Tensor,
    temperature: float,
    gathered: tuple[Views, Tensor] | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of similarities between views against the same share for each view of the same class.

    For view i, q_ij is the softmax of cosine / temperature over all other views j; p_ij is 1 over the number of other
    views of its class if j is one of them, else 0; its loss is -sum over j of p_ij log q_ij (Tian et al. 2023, eq. 1
    to 3).

    Args:
        views: the m >= 2 views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        classes: (b,) int64, equal for pairs whose views are positives of each other.
        temperature: divides the cosines.
        gathered: views (n, d each) and classes (n,) of all processes; this process's own when None.
        offset: where this process's rows begin in ``gathered``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over this process's m * b views.

    Raises:
        ValueError: wrong shapes, no pairs, or a single view, which has no positive.
    """
    number = len(views)
    if number < 2:
        raise ValueError(f"{number} views per pair, but a view's positives are the others of its pair")
    if classes.shape != views[0].shape[:1]:
        raise ValueError(f"classes have the shape {tuple(classes.shape)} instead of ({len(views[0])},), one per pair")
    all_views, all_classes = (views, classes) if gathered is None else gathered
    logits, _ = similarities(views, temperature, all_views, offset)
    same = classes.repeat(number).unsqueeze(1) == all_classes.repeat(number)
    positive = (same & ~logits.isinf()).to(logits.dtype)
    targets = positive / positive.sum(dim=1, keepdim=True)
    return mean_of_pairs(soft_cross_entropy(logits, targets), weights, len(classes))


def nnclr_loss(
    predicted: tuple[Tensor, Tensor],
    neighbours: tuple[Tensor, Tensor],
    temperature: float,
    gathered: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
) -> Tensor:
    """InfoNCE between the prediction of each view and the nearest neighbour of the other (Dwibedi et al. 2021, eq. 3).

    With unit vectors p of predictions and n of neighbours, -log softmax over k of p_i . n_k / temperature at k = i, for
    both views. The softmax is over neighbours, as in the code of language-guided SSL; in eq. 3 it is over predictions.

    Args:
        predicted: (b, d) float of both views; rows need not be of unit length.
        neighbours: (b, d) float, of the projections of both views; no gradient reaches them.
        temperature: divides the cosines.
        gathered: neighbours of all processes, (n, d) each; this process's own when None.
        offset: where this process's rows begin in ``gathered``.

    Returns:
        Scalar float: mean over rows and both views.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(first=predicted[0], second=predicted[1], neighbours=neighbours[0], others=neighbours[1])
    candidates = [units(side.detach()) for side in gathered or neighbours]
    target = torch.arange(len(predicted[0]), device=predicted[0].device) + offset
    first, second = (
        cross_entropy(units(prediction) @ candidate.T / temperature, target)
        for prediction, candidate in zip(predicted, candidates[::-1], strict=True)
    )
    return (first + second) / 2
