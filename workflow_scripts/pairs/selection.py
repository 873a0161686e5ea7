"""Selects partners among nearest candidates such that no image has too many sources."""

import numpy as np

from workflow_scripts.pairs.neighbours import Near
from workflow_scripts.pairs.ties import pair_hash, place_in_run


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
