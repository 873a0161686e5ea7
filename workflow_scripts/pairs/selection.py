"""Selects partners among nearest candidates: mutual neighbours, and scores that correct for hubs.

All functions go through the rows in blocks, and none depends on the number of threads.
"""

from collections.abc import Callable

import numpy as np

from workflow_scripts.pairs.neighbours import Near

BLOCK = 65_536
SMALLEST = 1e-6  # least distance that scales others: rows with many twins have a neighbour at distance 0


def first(near: Near, k: int) -> Near:
    """The first k partners of each row."""
    return Near(near.target[:, :k], near.cosine[:, :k], near.group, near.ids)


def twins(near: Near, rows: slice) -> np.ndarray:
    """(b, w) bool: which partners of the rows have the row's own vector."""
    target = near.target[rows]
    return (target >= 0) & (near.group[target] == near.group[rows][:, None])


def mutual(near: Near, m: int) -> np.ndarray:
    """Which of the ``m`` nearest of a row have the row among their ``m`` nearest.

    They are the edges of the mutual k-nearest-neighbour graph (Brito et al. 1997, Statistics & Probability Letters
    35:33).

    Args:
        near: neighbours, at least ``m`` per row where there are as many.
        m: size of the neighbourhood.

    Returns:
        (n, w) bool, like the neighbours.
    """
    both = np.zeros(near.target.shape, dtype=bool)
    for start in range(0, len(both), BLOCK):
        part = slice(start, start + BLOCK)
        target = near.target[part, :m]
        rows = np.arange(start, start + len(target), dtype=np.int32)[:, None]
        for column in range(target.shape[1]):
            both[part, :m] |= near.target[target, column] == rows
        both[part, :m] &= target >= 0
    return both


def only(near: Near, allowed: np.ndarray | None) -> Near:
    """The partners that (n, w) bool ``allowed`` marks, in their order; all if it is None."""
    if allowed is None:
        return near
    found = Near(np.full_like(near.target, -1), np.full_like(near.cosine, -np.inf), near.group, near.ids)
    for start in range(0, len(allowed), BLOCK):
        part = slice(start, start + BLOCK)
        order = np.argsort(~allowed[part], axis=1, kind="stable")
        kept = np.take_along_axis(allowed[part], order, axis=1)
        found.target[part] = np.where(kept, np.take_along_axis(near.target[part], order, axis=1), -1)
        found.cosine[part] = np.where(kept, np.take_along_axis(near.cosine[part], order, axis=1), -np.inf)
    return found


Score = Callable[[slice], np.ndarray]
"""Rows -> (b, w) float64 scores of their partners, larger is better."""


def csls(near: Near, neighbours: int) -> Score:
    """Cross-domain similarity local scaling, 2 cos(x, y) - r(x) - r(y).

    r is the mean cosine of an image with its ``neighbours`` nearest others (Conneau et al. 2018, "Word translation
    without parallel data", section 2.3); here both sides are the same images. r(x) does not change which partner of x
    is best.

    Args:
        near: the nearest others, at least ``neighbours`` where there are as many.
        neighbours: the K of the paper.
    """
    density = np.empty(len(near.target))
    for start in range(0, len(density), BLOCK):
        cosine = near.cosine[start : start + BLOCK, :neighbours].astype(np.float64)
        known = np.isfinite(cosine)
        density[start : start + BLOCK] = np.where(known, cosine, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return lambda rows: 2.0 * near.cosine[rows] - density[rows][:, None] - density[near.target[rows]]


def local_scaling(near: Near, neighbours: int) -> Score:
    """Local scaling, -d(x, y)^2 / (s(x) s(y)), the exponent of the affinity.

    d is the Euclidean distance of unit vectors, and s the distance of an image to its ``neighbours``-th nearest other
    (Zelnik-Manor and Perona 2004, "Self-tuning spectral clustering"; against hubs: Schnitzer et al. 2012, "Local and
    global scaling reduce hubs in space", JMLR 13:2871). s is at least ``SMALLEST``.

    Args:
        near: the nearest others, at least ``neighbours`` where there are as many.
        neighbours: the K of the papers.
    """
    last = np.clip(np.isfinite(near.cosine[:, :neighbours]).sum(axis=1) - 1, 0, None)
    farthest = np.take_along_axis(near.cosine, last[:, None], axis=1)[:, 0]
    scale = np.maximum(np.sqrt(_squared_distance(np.where(np.isfinite(farthest), farthest, 1.0))), SMALLEST)

    def score(rows: slice) -> np.ndarray:
        return -_squared_distance(near.cosine[rows]) / (scale[rows][:, None] * scale[near.target[rows]])

    return score


def _squared_distance(cosine: np.ndarray) -> np.ndarray:
    return np.maximum(2.0 - 2.0 * cosine.astype(np.float64), 0.0)


def by_score(near: Near, allowed: np.ndarray | None, score: Score, candidates: int, k: int) -> Near:
    """The k best of the first ``candidates`` allowed partners of each row by another score.

    A row with the same vector stays first; equal scores keep their order.

    Args:
        near: neighbours (n, w).
        allowed: (n, w) bool, those that may be chosen; None: all.
        score: for each neighbour.
        candidates: allowed neighbours of a row among which the score chooses, from the nearest.
        k: partners of a row.
    """
    shape = (len(near.target), k)
    found = Near(np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32), near.group, near.ids)
    for start in range(0, len(near.target), BLOCK):
        part = slice(start, start + BLOCK)
        values = np.where(twins(near, part), np.inf, score(part))
        free = near.target[part] >= 0 if allowed is None else allowed[part]
        free = free & (np.cumsum(free, axis=1) <= candidates)
        values = np.where(free, values, -np.inf)
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        kept, width = np.take_along_axis(free, order, axis=1), order.shape[1]
        found.target[part, :width] = np.where(kept, np.take_along_axis(near.target[part], order, axis=1), -1)
        found.cosine[part, :width] = np.where(kept, np.take_along_axis(near.cosine[part], order, axis=1), -np.inf)
    return found
