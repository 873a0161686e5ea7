"""NT-Xent (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations")."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def nt_xent(
    first: Tensor, second: Tensor, temperature: float, every: tuple[Tensor, Tensor] | None = None, offset: int = 0
) -> Tensor:
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
