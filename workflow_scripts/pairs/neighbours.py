"""Exact nearest neighbours by inner product, excluding the row itself, with ties in row order.

FAISS proposes candidates, and double precision decides: each candidate is scored again by itself, so that a score
depends only on its two vectors, and the search is widened for every row whose candidates may have missed a better one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workflow_scripts.pairs.dedup import Groups, group_equal
from workflow_scripts.pairs.search import candidates

SLACK = 8  # candidates beyond the requested ones, so that few rows need a second search
ROUNDING = 1e-5  # bound on the error of a float32 inner product, relative to the product of the norms
BLOCK = 4096


@dataclass(frozen=True)
class Rule:
    """Number of neighbours, and the range of their scores (inclusive)."""

    k: int
    lowest: float = -np.inf
    highest: float = np.inf


@dataclass(frozen=True)
class Found:
    """Pairs sorted by source, then rank: source, target (m,) int64, rank (m,) int16 from 1, cosine (m,) float32."""

    source: np.ndarray
    target: np.ndarray
    rank: np.ndarray
    cosine: np.ndarray


def nearest(vectors: np.ndarray, rule: Rule, device: str = "cpu") -> Found:
    """The ``rule.k`` best other rows of every row.

    Args:
        vectors: (n, d) float32; rows of length 1 make the scores cosines.
        rule: k and the range of scores; rows outside the range are skipped.
        device: ``cuda`` to search on a GPU.

    Returns:
        Pairs; better scores first, equal scores in row order. Scores are double precision products rounded to float32.
    """
    groups = group_equal(vectors)
    distinct = vectors if len(groups.first) == len(vectors) else vectors[groups.first]
    parts = []
    for asked, scores, near in _settled(distinct, rule, device):
        parts += [_expand(groups, asked[i : i + BLOCK], scores[i : i + BLOCK], near[i : i + BLOCK], distinct, rule)
                  for i in range(0, len(asked), BLOCK)]  # fmt: skip
    return _ranked(parts, rule.k)


def _settled(distinct: np.ndarray, rule: Rule, device: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (asked (m,), scores (m, w), near (m, w)): distinct rows and proposals sure to hold their k best."""
    count = len(distinct)
    norms = _norms(distinct)
    left, width = np.arange(count), min(count, rule.k + 1 + SLACK)
    while len(left):
        queries = distinct if len(left) == count else distinct[left]
        rough, near = candidates(queries, distinct, width, device)
        scores = _exact(distinct, left, near)
        # Upper bound on the score of any row that was not proposed.
        unseen = rough[:, -1] + ROUNDING * norms[left] * norms.max()
        counts = (near != left[:, None]) & (scores >= rule.lowest) & (scores <= rule.highest)
        better = (counts & (scores > unseen[:, None])).sum(axis=1)
        sure = (better >= rule.k) | (unseen < rule.lowest) | (width == count)
        yield left[sure], scores[sure], near[sure]
        left, width = left[~sure], min(count, width * 4)


def _norms(vectors: np.ndarray) -> np.ndarray:
    norms = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        norms[start : start + BLOCK] = np.linalg.norm(vectors[start : start + BLOCK], axis=1)
    return norms


def _exact(distinct: np.ndarray, asked: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(m, w) float32 inner products of rows ``asked`` with rows ``near``, summed in double precision."""
    scores = np.empty(near.shape, dtype=np.float32)
    for start in range(0, len(asked), BLOCK):
        part = slice(start, start + BLOCK)
        here = distinct[asked[part]].astype(np.float64)
        for column in range(near.shape[1]):
            scores[part, column] = np.einsum("nd,nd->n", here, distinct[near[part, column]].astype(np.float64))
    return scores


def _expand(
    groups: Groups, asked: np.ndarray, scores: np.ndarray, near: np.ndarray, distinct: np.ndarray, rule: Rule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (source, target, score), unsorted, of all rows with the vectors ``asked``; each has at least its k best.

    Of a near group at most k + 1 members can be needed: k, and one that may be the source itself.
    """
    others = (near != asked[:, None]) & (scores >= rule.lowest) & (scores <= rule.highest)
    owner = np.nonzero(others)[0]
    own = _exact(distinct, asked, asked[:, None])[:, 0]
    with_twins = np.flatnonzero((np.diff(groups.start)[asked] > 1) & (own >= rule.lowest) & (own <= rule.highest))
    owner = np.concatenate([owner, with_twins])
    target_group = np.concatenate([near[others], asked[with_twins]])
    score = np.concatenate([scores[others], own[with_twins]])
    size = np.minimum(np.diff(groups.start)[target_group], rule.k + 1)
    pick, member = _spread(size)
    row = groups.members[groups.start[target_group[pick]] + member]
    owner, score = owner[pick], score[pick]
    keep = _first_per_owner(owner, score, row, rule.k + 1)
    owner, score, row = owner[keep], score[keep], row[keep]
    # Every member of the query group gets the same list, except itself.
    copies, copy = _spread(np.diff(groups.start)[asked[owner]])
    source = groups.members[groups.start[asked[owner[copies]]] + copy]
    other = source != row[copies]
    return source[other], row[copies][other], score[copies][other]


def _spread(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[2, 0, 3] -> ([0, 0, 2, 2, 2], [0, 1, 0, 1, 2]): item and place of every one of ``sizes`` copies."""
    item = np.repeat(np.arange(len(sizes)), sizes)
    return item, np.arange(len(item)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _first_per_owner(owner: np.ndarray, score: np.ndarray, row: np.ndarray, most: int) -> np.ndarray:
    """Positions of each owner's ``most`` best, sorted by owner, then score (descending), then row."""
    order = np.lexsort((row, -score, owner))
    return order[_place(owner[order]) < most]


def _place(ordered: np.ndarray) -> np.ndarray:
    """Position of every entry within its run of equal values."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, np.int64)
    return np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))


def _ranked(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], k: int) -> Found:
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    source, target, score = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    order = _first_per_owner(source, score, target, k)
    source = source[order]
    return Found(source, target[order], (_place(source) + 1).astype(np.int16), score[order])
