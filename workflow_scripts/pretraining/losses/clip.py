"""The loss of CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision")."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workflow_scripts.pretraining.losses.views import check_equal, mean_of_pairs, units

LARGEST_SCALE = 100.0
LARGEST = math.log(LARGEST_SCALE) - 1e-6
"""Bound of the learned logarithm, a little lower: exp rounds up to 100.00001, which is cut off, with its gradient."""


def clip_loss(
    images: Tensor,
    texts: Tensor,
    log_scale: Tensor,
    every: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """Symmetric InfoNCE of images and texts (Radford et al. 2021, figure 3).

    Args:
        images: (b, d) float, need not be of unit length.
        texts: (b, d) float, row by row.
        log_scale: scalar; logits are cosine * min(exp(log_scale), 100) (section 2.5).
        every: images and texts of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``every``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float, mean over rows of both directions.

    Raises:
        ValueError: wrong shapes, or no pairs.
    """
    check_equal(images=images, texts=texts)
    images, texts = units(images), units(texts)
    all_images, all_texts = every or (images, texts)
    scale = log_scale.float().exp().clamp(max=LARGEST_SCALE)
    target = torch.arange(len(images), device=images.device) + offset
    reduction = "mean" if weights is None else "none"
    to_text = cross_entropy(scale * images @ units(all_texts).T, target, reduction=reduction)
    to_image = cross_entropy(scale * texts @ units(all_images).T, target, reduction=reduction)
    return mean_of_pairs((to_text + to_image) / 2, weights, len(images))
