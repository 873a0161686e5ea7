"""Losses of pretraining as pure functions.

With several processes each passes the rows of all processes beside its own (see ``gather.all_rows``), and the mean of
the processes' losses is the loss of the joined batch, in value and in gradient.
"""

import torch
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

LARGEST_SCALE = 100.0


def nt_xent(
    first: torch.Tensor,
    second: torch.Tensor,
    temperature: float,
    every: tuple[torch.Tensor, torch.Tensor] | None = None,
    offset: int = 0,
) -> torch.Tensor:
    """NT-Xent, mean over both directions (Chen et al. 2020, eq. 1).

    Args:
        first: (b, d) float, one view of each pair; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        temperature: divides the cosine similarities.
        every: both views of all processes, each (n, d); this process's own when None.
        offset: where this process's rows begin in ``every``.

    Returns:
        Scalar float32: mean over the 2b anchors of -log softmax of the partner among the other 2n - 1 views.
    """
    first, second = normalize(first.float()), normalize(second.float())
    all_first, all_second = every or (first, second)
    candidates = torch.cat([normalize(all_first.float()), normalize(all_second.float())])
    logits = torch.cat([first, second]) @ candidates.T / temperature
    own = torch.arange(len(first), device=first.device) + offset
    other = own + len(all_first)
    itself = torch.cat([own, other]).unsqueeze(1)
    logits = logits.scatter(1, itself, float("-inf"))
    return cross_entropy(logits, torch.cat([other, own]))


def negative_cosine(predicted: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
    """-cosine of prediction and projection, mean over rows; no gradient into the latter (Chen and He 2021, eq. 1, 3).

    (b, d), (b, d) float -> scalar float32 in [-1, 1].
    """
    return -cosine_similarity(predicted.float(), projected.detach().float(), dim=1).mean()


def simsiam(predicted: tuple[torch.Tensor, torch.Tensor], projected: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Symmetric SimSiam loss D(p1, z2)/2 + D(p2, z1)/2 (Chen and He 2021, eq. 4); all (b, d) float -> scalar."""
    return (negative_cosine(predicted[0], projected[1]) + negative_cosine(predicted[1], projected[0])) / 2


def clip_loss(
    images: torch.Tensor,
    texts: torch.Tensor,
    log_scale: torch.Tensor,
    every: tuple[torch.Tensor, torch.Tensor] | None = None,
    offset: int = 0,
) -> torch.Tensor:
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
