"""Contrastive losses: NT-Xent, and those of CLIP, StableRep and NNCLR.

``Network.forward`` computes losses outside autocast, so their products of matrices have the precision of the inputs.
Each process passes its own rows, and compares them with those of all processes (:func:`~.gather.all_rows`).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from workflow_scripts.pretraining.losses.gather import all_rows

Views = Sequence[Tensor]
LARGEST_SCALE = 100.0
LARGEST = math.log(LARGEST_SCALE) - 1e-6
"""Bound of the learned logarithm, a little lower: exp rounds up to 100.00001, which is cut off, with its gradient."""


def units(rows: Tensor) -> Tensor:
    """(b, d) -> rows of unit length, float32, or float64 if they are."""
    return normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)))


def similarities(views: Views, temperature: float) -> tuple[Tensor, Tensor]:
    """Cosines of this process's views with those of all processes, over the temperature; -inf with the view itself.

    Args:
        views: the m views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        temperature: divides the cosines.

    Returns:
        (m * b, m * n) float logits for n pairs of all processes, with the views in order in rows and columns; (m, b)
        int64 columns of this process's views.
    """
    gathered, offsets = zip(*map(all_rows, views), strict=True)
    unit_views = [units(view) for view in views]
    candidates = torch.cat([units(view) for view in gathered])
    logits = torch.cat(unit_views) @ candidates.T / temperature
    starts = torch.arange(len(views), device=logits.device).unsqueeze(1) * (len(candidates) // len(views))
    columns = starts + torch.arange(len(unit_views[0]), device=logits.device) + offsets[0]
    return logits.scatter(1, columns.reshape(-1, 1), float("-inf")), columns


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-sum over columns of target * log softmax(logits), (r, c), (r, c) -> (r,); 0 where a logit is -inf."""
    logs = logits.log_softmax(dim=1)
    return -(targets * logs.masked_fill(logits.isinf(), 0)).sum(dim=1)


def mean_of_pairs(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of the losses of all views of b pairs, each times its pair's weight (b,) if there are weights.

    The sum is divided by the number of views, not by that of the weights (as in ALIP, Yang et al. 2023), so that the
    mean over processes is the loss of the joined batch.
    """
    return losses.mean() if weights is None else (losses.reshape(-1, len(weights)) * weights).mean()


def nt_xent(first: Tensor, second: Tensor, temperature: float, weights: Tensor | None = None) -> Tensor:
    """NT-Xent, mean over both directions (Chen et al. 2020, eq. 1).

    Args:
        first: (b, d) float, one view of each pair; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        temperature: divides the cosine similarities.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over the 2b anchors of -log softmax of the partner among the other 2n - 1 views of the n
        pairs of all processes.
    """
    logits, columns = similarities((first, second), temperature)
    losses = cross_entropy(logits, columns.flip(0).flatten(), reduction="mean" if weights is None else "none")
    return mean_of_pairs(losses, weights)


def clip_loss(images: Tensor, texts: Tensor, log_scale: Tensor, weights: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE of images and texts (Radford et al. 2021, figure 3).

    Args:
        images: (b, d) float, need not be of unit length.
        texts: (b, d) float, row by row.
        log_scale: scalar; logits are cosine * min(exp(log_scale), 100) (section 2.5).
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float, mean over rows of both directions.
    """
    (all_images, offset), (all_texts, _) = all_rows(images), all_rows(texts)
    images, texts = units(images), units(texts)
    scale = log_scale.float().exp().clamp(max=LARGEST_SCALE)
    target = torch.arange(len(images), device=images.device) + offset
    reduction = "mean" if weights is None else "none"
    to_text = cross_entropy(scale * images @ units(all_texts).T, target, reduction=reduction)
    to_image = cross_entropy(scale * texts @ units(all_images).T, target, reduction=reduction)
    return mean_of_pairs((to_text + to_image) / 2, weights)


def multi_positive_loss(views: Views, classes: Tensor, temperature: float, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of similarities between views against the same share for each view of the same class.

    For view i, q_ij is the softmax of cosine / temperature over all other views j; p_ij is 1 over the number of other
    views of its class if j is one of them, else 0; its loss is -sum over j of p_ij log q_ij (Tian et al. 2023, eq. 1
    to 3).

    Args:
        views: the m >= 2 views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        classes: (b,) int64, equal for pairs whose views are positives of each other.
        temperature: divides the cosines.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over this process's m * b views.
    """
    number = len(views)
    logits, _ = similarities(views, temperature)
    same = classes.repeat(number).unsqueeze(1) == all_rows(classes)[0].repeat(number)
    positive = (same & ~logits.isinf()).to(logits.dtype)
    targets = positive / positive.sum(dim=1, keepdim=True)
    return mean_of_pairs(soft_cross_entropy(logits, targets), weights)


def nnclr_loss(predicted: tuple[Tensor, Tensor], neighbours: tuple[Tensor, Tensor], temperature: float) -> Tensor:
    """InfoNCE between the prediction of each view and the nearest neighbour of the other (Dwibedi et al. 2021, eq. 3).

    With unit vectors p of predictions and n of neighbours, -log softmax over k of p_i . n_k / temperature at k = i, for
    both views. The softmax is over neighbours, as in the code of language-guided SSL; in eq. 3 it is over predictions.

    Args:
        predicted: (b, d) float of both views; rows need not be of unit length.
        neighbours: (b, d) float, of the projections of both views; no gradient reaches them.
        temperature: divides the cosines.

    Returns:
        Scalar float: mean over rows and both views.
    """
    gathered, offsets = zip(*map(all_rows, neighbours), strict=True)
    candidates = [units(side.detach()) for side in gathered]
    target = torch.arange(len(predicted[0]), device=predicted[0].device) + offsets[0]
    first, second = (
        cross_entropy(units(prediction) @ candidate.T / temperature, target)
        for prediction, candidate in zip(predicted, candidates[::-1], strict=True)
    )
    return (first + second) / 2
