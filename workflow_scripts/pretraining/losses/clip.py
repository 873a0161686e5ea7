"""The loss of CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision")."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

LARGEST_SCALE = 100.0


def clip_loss(
    images: Tensor,
    texts: Tensor,
    log_scale: Tensor,
    every: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
) -> Tensor:
    """Symmetric InfoNCE of images and texts (Radford et al. 2021, figure 3).

    Args:
        images: (b, d) float, need not be of unit length.
        texts: (b, d) float, row by row.
        log_scale: scalar; logits are cosine * min(exp(log_scale), 100) (section 2.5).
        every: images and texts of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``every``.

    Returns:
        Scalar float32, mean over rows of both directions.
    """
    images, texts = normalize(images.float()), normalize(texts.float())
    all_images, all_texts = every or (images, texts)
    scale = log_scale.float().exp().clamp(max=LARGEST_SCALE)
    target = torch.arange(len(images), device=images.device) + offset
    to_text = cross_entropy(scale * images @ normalize(all_texts.float()).T, target)
    to_image = cross_entropy(scale * texts @ normalize(all_images.float()).T, target)
    return (to_text + to_image) / 2
