"""Which queries of an episode are nearest to their own class's prototype, computed on a GPU."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import normalize


def scorer_on(device: str, features: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """``hit_queries`` of rows of ``features`` (n, d) float32, which are kept on ``device``.

    The function takes support (e, ways, shots) and query (e, ways, queries) row numbers.
    """
    kept = torch.from_numpy(features).to(device)

    def hits(support: np.ndarray, query: np.ndarray) -> np.ndarray:
        shown, asked = (kept[torch.from_numpy(rows).to(device)] for rows in (support, query))
        return hit_queries(shown, asked).cpu().numpy()

    return hits


@torch.inference_mode()
def hit_queries(support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """As its namesake in ``score``: (e, ways, shots, d) and (e, ways, queries, d) -> (e, ways, queries) bool."""
    centre = support.mean(dim=(1, 2), keepdim=True)
    support, query = (normalize(part - centre, dim=-1, eps=1e-12) for part in (support, query))
    prototypes = support.mean(dim=2)
    flat = query.flatten(1, 2)
    # |q - p|^2 without |q|^2, which is the same for every prototype.
    distance = prototypes.square().sum(dim=-1)[:, None, :] - 2 * flat @ prototypes.transpose(1, 2)
    nearest = distance.argmin(dim=-1).view(query.shape[:3])
    return nearest == torch.arange(query.shape[1], device=query.device)[:, None]
