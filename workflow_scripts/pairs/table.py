"""The pair table: partners within each scope, and the reasons why images have none."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.pairs.pair_kind import SCOPES, PairInputs, Pairs, PartnerSettings
from workflow_scripts.pairs.pools import Pools, pools_of
from workflow_scripts.pairs.search.exact import exact
from workflow_scripts.pairs.ties import chosen, identities

REASONS = ("empty_caption", "alone_in_scope", "outside_thresholds", "partners_used_up", "no_label", "same_picture")
"""Why an image can be without a pair."""


def by_scope(inputs: PairInputs, settings: PartnerSettings, within: Callable[[np.ndarray], Pairs]) -> Pairs:
    """Pairs of n images, scope by scope; images without a caption or alone in their scope have none.

    Args:
        within: finds the pairs of one scope: of at least two rows (m,), as positions in these rows.
    """
    shape = len(inputs.keys), settings.k
    recall: tuple[int, ...] = (0, 0, 0)
    meaning = has_meaning(inputs.vectors)
    without = dict.fromkeys(REASONS, 0) | {"empty_caption": int((~meaning).sum())}
    target, cosine = np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32)
    for rows in scope_pools(inputs.keys, settings.scope, meaning):
        if len(rows) == 1:
            without["alone_in_scope"] += 1
            continue
        local = within(rows)
        target[rows] = np.where(local.target >= 0, rows[local.target], -1)
        cosine[rows] = local.cosine
        for reason, count in local.without.items():
            without[reason] += count
        recall = tuple(total + own for total, own in zip(recall, local.recall, strict=True))
    return Pairs(target, cosine, without, recall)


def has_meaning(vectors: np.ndarray, block: int = 65_536) -> np.ndarray:
    """(n,) bool: which rows are not all zeros."""
    parts = [np.any(vectors[start : start + block], axis=1) for start in range(0, len(vectors), block)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def scope_pools(keys: pa.Table, scope: str, wanted: np.ndarray) -> Pools:
    """Rows by scope, those not ``wanted`` left out."""
    code = np.zeros(len(keys), dtype=np.int64)
    for name in SCOPES[scope]:
        column = pc.dictionary_encode(keys[name].combine_chunks())
        code = code * len(column.dictionary) + column.indices.to_numpy()
    return pools_of(np.where(wanted, code, -1))


def without_pair(target: np.ndarray) -> int:
    """Number of rows of (n, k) ``target`` that have no pair."""
    return int((target < 0).all(axis=1).sum())


def keep(pairs: Pairs, fits: np.ndarray, reason: str) -> Pairs:
    """Only the pairs that ``fits`` (n, k) bool marks; images that lose all are counted by the reason."""
    fits = fits & (pairs.target >= 0)
    order = np.argsort(~fits, axis=1, kind="stable")
    target = np.take_along_axis(np.where(fits, pairs.target, -1), order, axis=1)
    lost = without_pair(target) - without_pair(pairs.target)
    without = pairs.without | {reason: pairs.without.get(reason, 0) + lost}
    return Pairs(target, np.take_along_axis(pairs.cosine, order, axis=1), without, pairs.recall)


def as_table(pairs: Pairs, keys: pa.ChunkedArray) -> pa.Table:
    """source, target (keys), rank (int16 from 1), cosine (float32), sorted by the source's row, then rank."""
    source, place = np.nonzero(pairs.target >= 0)
    return pa.table(
        {
            "source": keys.take(pa.array(source)),
            "target": keys.take(pa.array(pairs.target[source, place])),
            "rank": (place + 1).astype(np.int16),
            "cosine": pairs.cosine[source, place],
        }
    )


def drawn(inputs: PairInputs, settings: PartnerSettings, codes: np.ndarray) -> Pairs:
    """For each of n images, random others of its scope with its code, drawn by a seeded hash of both keys.

    Args:
        inputs: the images; their vectors give the cosines of the pairs.
        settings: partners per image, scope and seed.
        codes: (n,) int64; images with a negative one form no pairs.
    """
    ids = identities(inputs.keys["key"], settings.seed)

    def within(rows: np.ndarray) -> Pairs:
        target = chosen(pools_of(codes[rows]), ids[rows], settings.k)
        unlabelled = int((codes[rows] < 0).sum())
        without = {"no_label": unlabelled, "alone_in_scope": without_pair(target) - unlabelled}
        return Pairs(target, exact(inputs.vectors, rows, rows[target], inputs.workers), without)

    return by_scope(inputs, settings, within)
