"""Classification by weighted nearest neighbours in feature space (Wu et al. 2018, CVPR, section 3.4).

In NumPy on a CPU: importing torch would take longer than classifying a set of several thousand images.
"""

import numpy as np

AT_ONCE = 512
"""Queries compared with the bank at once: 0.6 GB (with their order) for a bank of 75,000 images."""
GPU_AT_ONCE, BANK_AT_ONCE = 2048, 65_536
"""Queries and rows of the bank that are compared at once on a GPU: about 3 GB with their order."""


def nearest_classes(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, neighbours: int, temperature: float
) -> np.ndarray:
    """The class with most votes for each query.

    Each of the ``neighbours`` nearest rows of the bank by cosine votes exp(cosine / temperature) for its class; of
    classes with equal votes the lowest wins.

    Args:
        bank: (n, d) float; with ``labels`` (n,) int, not negative.
        queries: (q, d) float.
        neighbours: k; at most n are used.
        temperature: of the votes.

    Returns:
        (q,) int64.
    """
    bank, classes, k = _unit(bank).T, int(labels.max()) + 1, min(neighbours, len(labels))
    found = []
    for start in range(0, len(queries), AT_ONCE):
        cosine = _unit(queries[start : start + AT_ONCE]) @ bank
        nearest = np.argpartition(cosine, len(labels) - k, axis=1)[:, len(labels) - k :]
        near = np.take_along_axis(cosine, nearest, axis=1)
        found.append(elected(near, labels[nearest], classes, temperature))
    return np.concatenate(found)


def elected(cosine: np.ndarray, labels: np.ndarray, classes: int, temperature: float) -> np.ndarray:
    """The class with most votes of each query: (q,) int64, from the cosine and class of its neighbours, both (q, k)."""
    # Votes relative to the nearest neighbour's, so that a low temperature does not overflow.
    votes = np.exp((cosine - cosine.max(axis=1, keepdims=True)) / temperature)
    places = np.arange(len(cosine))[:, None] * classes + labels
    totals = np.bincount(places.ravel(), votes.ravel(), minlength=len(cosine) * classes)
    return totals.reshape(len(cosine), classes).argmax(axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def nearest_classes_on(
    device: str, bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, neighbours: int, temperature: float
) -> np.ndarray:
    """As :func:`nearest_classes`, on a GPU: the bank is kept there in its own type; cosines are float64 there too."""
    import torch

    def unit(rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(rows.double(), dim=1, eps=1e-12)

    kept, k = torch.from_numpy(bank).to(device), min(neighbours, len(labels))
    classes, found = int(labels.max()) + 1, []
    for start in range(0, len(queries), GPU_AT_ONCE):
        block = unit(torch.from_numpy(queries[start : start + GPU_AT_ONCE]).to(device))
        cosine = torch.empty((len(block), 0), dtype=torch.float64, device=device)
        rows = torch.empty((len(block), 0), dtype=torch.int64, device=device)
        for first in range(0, len(bank), BANK_AT_ONCE):
            part = block @ unit(kept[first : first + BANK_AT_ONCE]).T
            near, at = part.topk(min(k, part.shape[1]), dim=1)
            cosine, place = torch.cat([cosine, near], dim=1).topk(min(k, cosine.shape[1] + near.shape[1]), dim=1)
            rows = torch.cat([rows, at + first], dim=1).gather(1, place)
        found.append(elected(cosine.cpu().numpy(), labels[rows.cpu().numpy()], classes, temperature))
    return np.concatenate(found)
