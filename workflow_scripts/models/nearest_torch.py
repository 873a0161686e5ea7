"""As :mod:`workflow_scripts.models.nearest`, on a GPU."""

import numpy as np
import torch

from workflow_scripts.models.nearest import elected

AT_ONCE, BANK_AT_ONCE = 2048, 65_536
"""Queries and rows of the bank that are compared at once: about 3 GB with their order."""


@torch.inference_mode()
def nearest_classes_on(
    device: str, bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, neighbours: int, temperature: float
) -> np.ndarray:
    """As ``nearest_classes``, with the bank kept on ``device`` in its own type; cosines are float64 there too."""
    kept, k = torch.from_numpy(bank).to(device), min(neighbours, len(labels))
    classes, found = int(labels.max()) + 1, []
    for start in range(0, len(queries), AT_ONCE):
        block = _unit(torch.from_numpy(queries[start : start + AT_ONCE]).to(device))
        cosine = torch.empty((len(block), 0), dtype=torch.float64, device=device)
        rows = torch.empty((len(block), 0), dtype=torch.int64, device=device)
        for first in range(0, len(bank), BANK_AT_ONCE):
            part = block @ _unit(kept[first : first + BANK_AT_ONCE]).T
            near, at = part.topk(min(k, part.shape[1]), dim=1)
            cosine, place = torch.cat([cosine, near], dim=1).topk(min(k, cosine.shape[1] + near.shape[1]), dim=1)
            rows = torch.cat([rows, at + first], dim=1).gather(1, place)
        found.append(elected(cosine.cpu().numpy(), labels[rows.cpu().numpy()], classes, temperature))
    return np.concatenate(found)


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows.double(), dim=1, eps=1e-12)
