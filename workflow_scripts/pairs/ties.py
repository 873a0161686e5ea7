"""Seeded choices among equally good partners, by a hash of (source, target).

Repeated captions tie. If the order of rows decided, the first row of each group would become a hub. A hash of both
images spreads the choices evenly, and depends neither on the order of rows nor on the number of threads.

Of a pool of more than ``WINDOW`` members, only that many are compared for each source: consecutive ones in the order of
their hashes, from a place that the source's own hash draws. One more image changes at most a few of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import pyarrow as pa

from workflow_scripts.pairs.pools import Pools

WINDOW = 64  # members of a pool that are compared for one source, so that huge pools stay cheap
ENTRIES = 2_000_000  # entries expanded at once
SLICE = 65_536
P = TypeVar("P", bound=Pools)


def identities(keys: pa.ChunkedArray, seed: int) -> np.ndarray:
    """(n,) uint64: a seeded hash of each key."""
    salt = str(seed).encode()
    found = np.empty(len(keys), dtype=np.uint64)
    for start in range(0, len(keys), SLICE):
        texts = keys.slice(start, SLICE).to_pylist()
        digests = b"".join(blake2b(text.encode(), digest_size=8, key=salt).digest() for text in texts)
        found[start : start + len(texts)] = np.frombuffer(digests, dtype="<u8")
    return found


def pair_hash(source: np.ndarray, target: np.ndarray | np.uint64) -> np.ndarray:
    """(m,) uint64 hash of the ordered pairs of (m,) uint64 identities.

    The mixing steps are those of SplitMix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators").
    """
    mixed = source * np.uint64(0x9E3779B97F4A7C15) + target
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def by_identity(pools: P, ids: np.ndarray) -> P:
    """The same pools with the members of each ascending by their (n,) uint64 ``ids``, whatever the order of rows."""
    pool = np.repeat(np.arange(len(pools.size)), pools.size)
    return replace(pools, members=pools.members[np.lexsort((ids[pools.members], pool))])


def compared(
    pools: Pools, source: np.ndarray, pool: np.ndarray, ids: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """The members of a pool that are compared for a source: all, or ``window`` of them from a place that a hash draws.

    Args:
        pools: rows in pools, in the order of :func:`by_identity`.
        source: (m,) rows that choose.
        pool: (m,) the pool that each chooses from.
        ids: (n,) uint64 identities of rows.
        window: most members per source; every member of a pool is as likely as any other to be among them.

    Returns:
        (entries,) int64: position in ``source``, and the member's row.
    """
    size = pools.size[pool]
    item, place = spread(np.minimum(size, window))
    large = size > window
    first = np.zeros(len(source), dtype=np.int64)
    if large.any():
        # The place is a share of the pool, so that it moves with the members when the pool grows.
        share = (pair_hash(ids[source[large]], np.uint64(0)) >> np.uint64(11)) * 2.0**-53
        first[large] = (share * size[large]).astype(np.int64)
    return item, pools.members[pools.start[pool[item]] + (first[item] + place) % size[item]]


def chosen(pools: Pools, ids: np.ndarray, k: int) -> np.ndarray:
    """k partners of each row from its own pool, all equally likely, in an order that the hash draws.

    Args:
        pools: rows in pools; rows of no pool have no partner.
        ids: (n,) uint64 identities of rows.
        k: partners per row; fewer if the pool is too small.

    Returns:
        (n, k) int32 rows; -1 where there is no partner.
    """
    target = np.full((len(ids), k), -1, dtype=np.int32)
    pools = by_identity(pools, ids)
    pool = np.repeat(np.arange(len(pools.size)), pools.size)
    window = max(WINDOW, k + 1)
    for part in pieces(np.minimum(pools.size, window)[pool]):
        source = pools.members[part]
        item, row = compared(pools, source, pool[part], ids, window)
        other = row != source[item]
        item, row = item[other], row[other]
        order = np.lexsort((row, pair_hash(ids[source[item]], ids[row]), item))
        item, row = item[order], row[order]
        place = place_in_run(item)
        best = place < k
        target[source[item[best]], place[best]] = row[best]
    return target


def pieces(costs: np.ndarray) -> Iterator[slice]:
    """Slices of consecutive items whose (m,) ``costs`` add up to about ``ENTRIES`` each."""
    after = np.cumsum(costs)
    start = 0
    while start < len(costs):
        before = after[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(after, before + ENTRIES, side="right")))
        yield slice(start, stop)
        start = stop


def spread(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[2, 0, 3] -> ([0, 0, 2, 2, 2], [0, 1, 0, 1, 2]): item and place of every one of ``sizes`` copies."""
    item = np.repeat(np.arange(len(sizes)), sizes)
    return item, np.arange(len(item)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def place_in_run(ordered: np.ndarray) -> np.ndarray:
    """(m,) int64: position of every entry within its run of equal values."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, np.int64)
    return np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
