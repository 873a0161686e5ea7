"""Nearest neighbours by inner product, excluding the row itself.

FAISS proposes candidates, and double precision decides: each candidate is scored again by itself, so that a score
depends only on its two vectors. The search is widened for every row whose candidates may have missed a better one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from workflow_scripts.pairs.pools import Groups, group_equal
from workflow_scripts.pairs.search.candidates import ROUNDING, by_block, largest, usable
from workflow_scripts.pairs.search.exact import exact
from workflow_scripts.pairs.search.index import COMPARED, FLAT, NO_INDEX, Index
from workflow_scripts.pairs.ties import WINDOW, by_identity, compared, pair_hash, pieces, place_in_run, spread

SLACK = 8  # candidates beyond the requested ones, so that few rows need a second search
FEWEST = 16_384  # distinct rows of which an index is made
ENTRIES = 4_194_304  # candidates at a time, in a search that has been widened
BLOCK = 4096
Proposals = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Distinct rows (m,), their exact scores (m, w) with proposed neighbours, and these (m, w)."""
Search = Callable[[np.ndarray], list[Proposals]]
"""Distinct rows -> proposals for all of them."""


@dataclass(frozen=True)
class Rule:
    """Number of neighbours, and their highest score (inclusive)."""

    k: int
    highest: float = np.inf


@dataclass(frozen=True)
class How:
    """How neighbours are searched.

    Attributes:
        device: ``cuda`` to search on a GPU, without an index.
        workers: threads; they change nothing.
        index: may miss some neighbours, except ``Flat``.
    """

    device: str = "cpu"
    workers: int = 1
    index: Index = NO_INDEX


@dataclass(frozen=True)
class Near:
    """Up to w partners of each of n rows, best first.

    Attributes:
        target: (n, w) int32 rows; -1 in the last places of a row that has fewer.
        cosine: (n, w) float32 scores; -inf there.
        group: (n,) int64, equal for rows with equal vectors.
        ids: (n,) uint64 identities of the rows, which decide ties.
    """

    target: np.ndarray
    cosine: np.ndarray
    group: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class _Entries:
    """Groups of targets, by the query that may need them: (m,) each, queries ascending."""

    query: np.ndarray
    twin: np.ndarray
    score: np.ndarray
    group: np.ndarray

    def __getitem__(self, which: np.ndarray) -> "_Entries":
        return _Entries(self.query[which], self.twin[which], self.score[which], self.group[which])


def nearest(vectors: np.ndarray, ids: np.ndarray, rule: Rule, how: How = How(), rows: np.ndarray | None = None) -> Near:
    """The ``rule.k`` best other rows of every row.

    Rows with the same vector come first, then better scores; a hash of both rows orders equal ones
    (:mod:`workflow_scripts.pairs.ties`; of more than ``WINDOW`` rows with one vector, that many are compared).

    Args:
        vectors: (n, d) float32; rows of length 1 make the scores cosines.
        ids: (n,) uint64 identities of the rows.
        rule: k and the highest score; rows with a higher one are skipped.
        how: device, threads and index.
        rows: (m,) the rows whose neighbours are searched, exactly, with those of equal vectors; None: all.

    Returns:
        (n, k) neighbours. Scores are double precision products rounded to float32.
    """
    groups = group_equal(vectors)
    distinct = vectors if len(groups.first) == len(vectors) else vectors[groups.first]
    groups = by_identity(groups, ids)
    wanted = np.arange(len(distinct)) if rows is None else np.unique(groups.group[rows])
    if rows is not None or how.index.factory == FLAT or len(distinct) < FEWEST:
        how = replace(how, device=usable(how.device))
        search: Search = _Exact(distinct, rule, how)
    else:
        how = replace(how, device="cpu")
        search = _by_index(distinct, rule, how)
    shape = (len(ids), rule.k)
    near = Near(np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32), groups.group, ids)
    for asked, scores, found in chain.from_iterable(by_block(wanted, how.device, how.workers, search)):
        own = exact(distinct, asked, asked[:, None], how.workers)[:, 0]
        for start in range(0, len(asked), BLOCK):
            part = slice(start, start + BLOCK)
            _expand(groups, asked[part], _needed(groups, asked[part], own[part], scores[part], found[part], rule), near)
    return near


class _Exact:
    """A search whose proposals are sure to hold the k best of the distinct rows."""

    def __init__(self, distinct: np.ndarray, rule: Rule, how: How) -> None:
        self._distinct, self._rule, self._device = distinct, rule, how.device
        self._workers = 1 if how.device == "cpu" else how.workers  # there, each block has a thread of its own
        self._norms = _norms(distinct)
        self._longest = self._norms.max(initial=0.0)

    def __call__(self, rows: np.ndarray) -> list[Proposals]:
        found, width = [], min(len(self._distinct), self._rule.k + 1 + SLACK)
        while len(rows):
            left, step = [], max(1, ENTRIES // width)
            for start in range(0, len(rows), step):
                proposals, unsure = self._search(rows[start : start + step], width)
                found.append(proposals)
                left.append(unsure)
            rows, width = np.concatenate(left), min(len(self._distinct), 2 * width)
        return found

    def _search(self, rows: np.ndarray, width: int) -> tuple[Proposals, np.ndarray]:
        """Proposals, and the rows whose k best may not be among ``width`` candidates."""
        rough, near = largest(self._distinct[rows], self._distinct, width, self._device)
        error = ROUNDING * (self._norms[rows] * self._longest)[:, None]
        other, highest = near != rows[:, None], self._rule.highest
        least = self._kth(np.where(other & (rough <= highest - error), rough, -np.inf)) - 2 * error
        query, place = np.nonzero(other & (rough >= least) & (rough <= highest + error))
        scores, near = self._scored(rows, query, near[query, place])
        least = self._kth(np.where(scores <= highest, scores, -np.inf))
        sure = (least > rough[:, -1:] + error)[:, 0] | (width == len(self._distinct))
        return (rows[sure], scores[sure], near[sure]), rows[~sure]

    def _scored(self, rows: np.ndarray, query: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Exact scores with the rows ``near`` (e,) of the queries (e,), one line for each of ``rows``, and these.

        A place without one holds the row itself.
        """
        scores = np.full((len(rows), max(self._rule.k, place_in_run(query).max(initial=0) + 1)), -np.inf, np.float32)
        found, place = np.repeat(rows[:, None], scores.shape[1], axis=1), place_in_run(query)
        found[query, place] = near
        scores[query, place] = exact(self._distinct, rows[query], near[:, None], self._workers)[:, 0]
        return scores, found

    def _kth(self, scores: np.ndarray) -> np.ndarray:
        """(m, 1), the k-th largest of each row of (m, w); the smallest if there are fewer."""
        place = max(0, scores.shape[1] - self._rule.k)
        return np.partition(scores, place, axis=1)[:, place, None]


def _by_index(distinct: np.ndarray, rule: Rule, how: How) -> Search:
    """A search whose proposals hold most of the k best; rows with fewer than k that count are searched exactly."""
    index, exactly = how.index.of(distinct), _Exact(distinct, rule, how)
    width = min(len(distinct), (rule.k + 1) * COMPARED)

    def search(rows: np.ndarray) -> list[Proposals]:
        near = index.search(distinct[rows], width)[1]
        near = np.where(near < 0, rows[:, None], near)
        scores = exact(distinct, rows, near)
        enough = ((near != rows[:, None]) & (scores <= rule.highest)).sum(axis=1) >= rule.k
        return [(rows[enough], scores[enough], near[enough]), *exactly(rows[~enough])]

    return search


def _norms(vectors: np.ndarray) -> np.ndarray:
    norms = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        norms[start : start + BLOCK] = np.linalg.norm(vectors[start : start + BLOCK], axis=1)
    return norms


def _needed(
    groups: Groups, asked: np.ndarray, own: np.ndarray, scores: np.ndarray, near: np.ndarray, rule: Rule
) -> _Entries:
    """The groups that may hold the k best rows of each of ``asked``: its own, if it repeats, and the best others.

    ``own`` (m,) are the scores of the distinct rows with themselves.
    """
    size = groups.size
    others = (near != asked[:, None]) & (scores <= rule.highest)
    repeats = np.flatnonzero((size[asked] > 1) & (own <= rule.highest))
    query = np.concatenate([np.nonzero(others)[0], repeats])
    entries = _Entries(
        query,
        np.arange(len(query)) >= len(query) - len(repeats),
        np.concatenate([scores[others], own[repeats]]),
        np.concatenate([near[others], asked[repeats]]),
    )
    entries = entries[np.lexsort((-entries.score, ~entries.twin, entries.query))]
    # Rows up to and with each entry; the first entry that reaches k sets the score that others must match.
    rows = size[entries.group] - entries.twin
    before = np.cumsum(rows) - rows
    before -= before[np.arange(len(rows)) - place_in_run(entries.query)]
    last = (before < rule.k) & (before + rows >= rule.k)
    cut = np.full(len(asked), -np.inf)
    cut[entries.query[last]] = np.where(entries.twin[last], np.inf, entries.score[last])
    return entries[entries.twin | (entries.score >= cut[entries.query])]


def _expand(groups: Groups, asked: np.ndarray, entries: _Entries, near: Near) -> None:
    """Write the k best of all rows with the vectors ``asked`` into ``near``."""
    k = near.target.shape[1]
    window = max(WINDOW, k + 1)
    cost = np.bincount(entries.query, np.minimum(groups.size[entries.group], window), len(asked)).astype(np.int64)
    first = np.searchsorted(entries.query, np.arange(len(asked)))
    count = np.bincount(entries.query, minlength=len(asked))
    query, place = spread(groups.size[asked])
    for part in pieces(cost[query]):
        rows = groups.members[groups.start[asked[query[part]]] + place[part]]
        item, offset = spread(count[query[part]])
        entry = first[query[part]][item] + offset
        source = rows[item]
        which, row = compared(groups, source, entries.group[entry], near.ids, window)
        other = row != source[which]
        which, row = which[other], row[other]
        source, entry = source[which], entry[which]
        ties = pair_hash(near.ids[source], near.ids[row])
        order = np.lexsort((row, ties, -entries.score[entry], ~entries.twin[entry], source))
        rank = place_in_run(source[order])
        best, rank = order[rank < k], rank[rank < k]
        near.target[source[best], rank] = row[best]
        near.cosine[source[best], rank] = entries.score[entry[best]]
