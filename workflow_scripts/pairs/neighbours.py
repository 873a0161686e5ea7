"""Nearest neighbours by inner product, excluding the row itself.

Fast products propose candidates, and double precision decides: each candidate is scored again by itself, so that a
score depends only on its two vectors. Candidates come from ``search.close_pairs``, which misses none. Rows that have
too many close ones there, and small studies, are left to ``search.candidates``, whose search is widened for every row
whose candidates may have missed a better one.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from workflow_scripts.core.declaration.parts import WHOLE, Part
from workflow_scripts.pairs.dedup import Groups, group_equal
from workflow_scripts.pairs.search.approximate import BLOCK as TOGETHER
from workflow_scripts.pairs.search.approximate import Compressed
from workflow_scripts.pairs.search.candidates import ROUNDING, Database
from workflow_scripts.pairs.search.exact import exact
from workflow_scripts.pairs.ties import WINDOW, by_identity, compared, pair_hash, pieces, place_in_run, spread

SLACK = 8  # candidates beyond the requested ones, so that few rows need a second search
MANY = 16_384  # rows from which on importing torch pays off
BLOCK = 4096
Proposals = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Distinct rows (m,), their exact scores (m, w) with proposed neighbours, and these (m, w)."""


@dataclass(frozen=True)
class Rule:
    """Number of neighbours, and their highest score (inclusive)."""

    k: int
    highest: float = np.inf


@dataclass(frozen=True)
class How:
    """How neighbours are searched.

    Attributes:
        device: ``cuda`` to search on a GPU.
        workers: threads that compute scores again; they change nothing.
        part: of the distinct rows, in order of first appearance, those whose neighbours are searched.
        approximate: seed of a faster search that may miss some; None: an exact search.
    """

    device: str = "cpu"
    workers: int = 1
    part: Part = WHOLE
    approximate: int | None = None

    def rows(self, count: int) -> range:
        """The part's rows of ``count`` distinct ones: all in blocks that are the same for any number of parts."""
        return self.part.rows(count, 1 if self.approximate is None else TOGETHER)


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


def nearest(vectors: np.ndarray, ids: np.ndarray, rule: Rule, how: How = How()) -> Near:
    """The ``rule.k`` best other rows of every row.

    Rows with the same vector come first, then better scores; a hash of both rows orders equal ones
    (:mod:`workflow_scripts.pairs.ties`; of more than ``WINDOW`` rows with one vector, that many are compared).

    Args:
        vectors: (n, d) float32; rows of length 1 make the scores cosines.
        ids: (n,) uint64 identities of the rows.
        rule: k and the highest score; rows with a higher one are skipped.
        how: device, threads, and which rows.

    Returns:
        (n, k) neighbours; none for rows of other parts. Scores are double precision products rounded to float32.
    """
    distinct, groups = _distinct(vectors, ids)
    of_many = _settled if how.approximate is None else _approximated
    search = _searched if len(distinct) < MANY else of_many
    return _gathered(distinct, groups, rule, how, search(distinct, rule, how), ids)


def nearest_of(rows: np.ndarray, vectors: np.ndarray, ids: np.ndarray, rule: Rule, how: How) -> Near:
    """As :func:`nearest`, an exact search for a few rows (m,), and for those with the same vectors."""
    distinct, groups = _distinct(vectors, ids)
    asked = np.unique(groups.group[rows])
    return _gathered(distinct, groups, rule, how, _by_candidates(distinct, rule, asked, how), ids)


def _distinct(vectors: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, Groups]:
    groups = group_equal(vectors)
    distinct = vectors if len(groups.first) == len(vectors) else vectors[groups.first]
    return distinct, by_identity(groups, ids)


def _gathered(
    distinct: np.ndarray, groups: Groups, rule: Rule, how: How, proposals: Iterator[Proposals], ids: np.ndarray
) -> Near:
    """The k best of all proposals for each row."""
    shape = (len(ids), rule.k)
    near = Near(np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32), groups.group, ids)
    for asked, scores, found in proposals:
        own = exact(distinct, asked, asked[:, None], how.workers)[:, 0]
        for start in range(0, len(asked), BLOCK):
            part = slice(start, start + BLOCK)
            _expand(groups, asked[part], _needed(groups, asked[part], own[part], scores[part], found[part], rule), near)
    return near


def rows_of_part(near: Near, how: How) -> np.ndarray:
    """(m,) int64: the rows whose neighbours :func:`nearest` has searched for this part."""
    asked = how.rows(int(near.group.max(initial=-1)) + 1)
    return np.flatnonzero((near.group >= asked.start) & (near.group < asked.stop))


def _settled(distinct: np.ndarray, rule: Rule, how: How) -> Iterator[Proposals]:
    """Yield proposals that are sure to hold the k best of the distinct rows of the part."""
    asked = how.rows(len(distinct))
    if len(asked):
        left = yield from _by_close_pairs(distinct, rule, asked, how)
        yield from _by_candidates(distinct, rule, left, how)


def _approximated(distinct: np.ndarray, rule: Rule, how: How) -> Iterator[Proposals]:
    """Yield proposals that hold most of the k best; rows with fewer than k that count are searched exactly."""
    assert how.approximate is not None
    for asked, near in Compressed(distinct, how.approximate).candidates(how.rows(len(distinct)), rule.k + 1):
        scores = exact(distinct, asked, near, how.workers)
        enough = ((near != asked[:, None]) & (scores <= rule.highest)).sum(axis=1) >= rule.k
        yield asked[enough], scores[enough], near[enough]
        yield from _by_candidates(distinct, rule, asked[~enough], how)


def _searched(distinct: np.ndarray, rule: Rule, how: How) -> Iterator[Proposals]:
    """As :func:`_settled`, without blocks of products: for few rows."""
    asked = how.rows(len(distinct))
    yield from _by_candidates(distinct, rule, np.arange(asked.start, asked.stop), how)


def _by_candidates(distinct: np.ndarray, rule: Rule, left: np.ndarray, how: How) -> Iterator[Proposals]:
    """As :func:`_settled`, for some rows (m,) int64, by a search that is widened until it is sure."""
    if not len(left):
        return
    count = len(distinct)
    width, norms, database = min(count, rule.k + 1 + SLACK), _norms(distinct), Database(distinct, how.device)
    while len(left):
        queries = distinct if len(left) == count else distinct[left]
        rough, near = database.candidates(queries, width)
        scores = exact(distinct, left, near, how.workers)
        # Upper bound on the score of any row that was not proposed.
        unseen = rough[:, -1] + ROUNDING * norms[left] * norms.max()
        counts = (near != left[:, None]) & (scores <= rule.highest)
        better = (counts & (scores > unseen[:, None])).sum(axis=1)
        sure = (better >= rule.k) | (width == count)
        yield left[sure], scores[sure], near[sure]
        left, width = left[~sure], min(count, width * 4)


def _by_close_pairs(distinct: np.ndarray, rule: Rule, rows: range, how: How) -> Generator[Proposals, None, np.ndarray]:
    """As :func:`_settled`; returns the rows that are left. A place without a proposal holds the row itself."""
    from workflow_scripts.pairs.search.close_pairs import close_pairs

    close = close_pairs(distinct, rule.k, how.device, rule.highest, rows=rows)
    products = exact(distinct, close.row, close.other[:, None], how.workers)[:, 0]
    asked = np.setdiff1d(np.arange(rows.start, rows.stop), close.left, assume_unique=True)
    first = np.searchsorted(close.row, asked)
    count = np.searchsorted(close.row, asked, side="right") - first
    for start in range(0, len(asked), BLOCK):
        part = slice(start, start + BLOCK)
        near = np.repeat(asked[part, None], count[part].max(), axis=1)
        scores = np.full(near.shape, -np.inf, np.float32)
        row, place = spread(count[part])
        found = first[part][row] + place
        near[row, place], scores[row, place] = close.other[found], products[found]
        yield asked[part], scores, near
    return close.left


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
