"""Selects partners among nearest candidates: mutual neighbours, scores that correct for hubs, and a limit of uses.

All functions go through the rows in blocks or rounds, and none depends on the number of threads.
"""

from collections.abc import Callable

import numpy as np

from workflow_scripts.pairs.neighbours import Near
from workflow_scripts.pairs.ties import pair_hash, place_in_run

BLOCK = 65_536
Score = Callable[[slice], np.ndarray]
"""Rows -> (b, w) float64 scores of their partners, larger is better."""


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


def capped(near: Near, k: int, uses: int) -> Near:
    """Up to k partners of each row such that no row is a partner of more than ``uses`` others.

    The result is that of going through all candidates from the most similar to the least (rows with the same vector
    first, equal ones in the order of their hash) and accepting each whose source needs a partner and whose target is
    free. It is computed as deferred acceptance (Gale and Shapley 1962), which needs no sequential pass: in each round
    every source without k partners proposes to its next candidate, and every target keeps the best proposals. Both
    sides rank pairs by the same order, so the stable outcome is unique.

    Args:
        near: (n, w) candidates, best first.
        k: partners per row.
        uses: most sources per target.

    Returns:
        (n, k) partners, best first.
    """
    count, width = near.target.shape
    asked, held = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    kept = np.full((count, uses), -1, dtype=np.int64)  # candidates (source * width + column) that each target accepts
    free = np.arange(count)
    while len(free := free[_unsettled(near, free, asked, held, k)]):
        proposed = free * width + asked[free]
        asked[free] += 1
        held[free] += 1
        targets = np.unique(near.target[proposed // width, proposed % width])
        before = kept[targets].reshape(-1)
        rivals = np.concatenate([before[before >= 0], proposed])
        rivals, target, place = _ranked(near, rivals)
        accepted = place < uses
        kept[targets] = -1
        kept[target[accepted], place[accepted]] = rivals[accepted]
        refused = rivals[~accepted] // width
        np.subtract.at(held, refused, 1)
        free = np.unique(np.concatenate([free, refused]))
    return _by_source(near, np.sort(kept[kept >= 0]), k)


def _unsettled(near: Near, rows: np.ndarray, asked: np.ndarray, held: np.ndarray, k: int) -> np.ndarray:
    """(m,) bool: which rows lack partners and have a candidate left."""
    width = near.target.shape[1]
    left = asked[rows] < width
    following = near.target[rows, np.minimum(asked[rows], width - 1)]
    return (held[rows] < k) & left & (following >= 0)


def _ranked(near: Near, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates by target, best first: themselves, their targets, and their place for the target."""
    source, width = candidates // near.target.shape[1], near.target.shape[1]
    target = near.target[source, candidates % width]
    cosine = near.cosine[source, candidates % width]
    apart = near.group[source] != near.group[target]
    order = np.lexsort((candidates, pair_hash(near.ids[source], near.ids[target]), -cosine, apart, target))
    return candidates[order], target[order], place_in_run(target[order])


def _by_source(near: Near, candidates: np.ndarray, k: int) -> Near:
    """Accepted candidates, ascending, as an array of partners."""
    width = near.target.shape[1]
    source, column = candidates // width, candidates % width
    place = place_in_run(source)
    shape = (len(near.target), k)
    found = Near(np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32), near.group, near.ids)
    found.target[source, place] = near.target[source, column]
    found.cosine[source, place] = near.cosine[source, column]
    return found
