"""Pair shards: each image followed by its partners, in an order that a hash of keys fixes."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.stats.seeds import derive

KEYS = 65_536  # keys that are Python's at a time
SLOTS = pa.schema(
    [
        ("key", pa.string()),
        ("pair", pa.int64()),
        ("rank", pa.int32()),
        ("shard", pa.int32()),
        ("block", pa.int32()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
    ]
)
"""Columns of the index of pair shards: one row per image that a shard holds."""


class Slots(NamedTuple):
    """The images of some pairs, in the order in which a shard holds them.

    Attributes:
        rows: (s,) int64, of the images in the index.
        pair: (s,) int64, number of the pair in the order of all shards.
        rank: (s,) int32, 0 for the source, and 1, 2, ... for its partners, best first.
    """

    rows: np.ndarray
    pair: np.ndarray
    rank: np.ndarray


def hashed_order(keys: pa.ChunkedArray, seed: int) -> np.ndarray:
    """(n,) int64 places of n different keys, in the order of their hashes with a seed."""
    salt = derive(seed, "pair_shards").to_bytes(8, "big")
    hashes = np.empty(len(keys), np.uint64)
    for start in range(0, len(keys), KEYS):
        some = keys.slice(start, KEYS).to_pylist()
        digests = b"".join(blake2b(key.encode(), digest_size=8, key=salt).digest() for key in some)
        hashes[start : start + KEYS] = np.frombuffer(digests, ">u8")
    return np.argsort(hashes, kind="stable")


def slots_of(pairing: Pairing, order: np.ndarray, pairs: range) -> Slots:
    """The images of some pairs; an image that is its own only partner is there once.

    Args:
        pairing: all pairs.
        order: (m,) int64, numbers of their sources in the order of the shards.
        pairs: places in this order.
    """
    some = order[pairs.start : pairs.stop]
    first, counts = pairing.starts[some], partners_of(pairing)[some]
    starts = np.append(0, np.cumsum(1 + counts))
    rank = within(starts)
    rows = np.repeat(pairing.sources[some], 1 + counts)
    partner = rank > 0
    rows[partner] = pairing.targets[(np.repeat(first - 1, 1 + counts) + rank)[partner]]
    return Slots(rows, np.repeat(np.arange(pairs.start, pairs.stop), 1 + counts), rank.astype(np.int32))


def partners_of(pairing: Pairing) -> np.ndarray:
    """(m,) numbers of partners of each source; 0 if it is its own only partner."""
    counts = np.diff(pairing.starts)
    alone = (counts == 1) & (pairing.targets[pairing.starts[:-1]] == pairing.sources)
    return np.where(alone, 0, counts)


def within(starts: np.ndarray) -> np.ndarray:
    """(k,) place of each item in its group, where groups begin at ``starts``, whose last number is k."""
    return np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts))


def indexed(shards: Sequence[Path], block_bytes: int) -> Iterator[pa.Table]:
    """Tables of the images of some shards, in order, with the columns of :data:`SLOTS`.

    Args:
        shards: tables of shards, in order.
        block_bytes: a block holds the pairs that begin in as many bytes of a shard.
    """
    blocks = 0
    for number, path in enumerate(shards):
        table = pq.read_table(path, columns=["key", "pair", "rank", "offset", "bytes", "sha256"])
        sources = np.flatnonzero(table["rank"].to_numpy() == 0)
        part = table["offset"].to_numpy()[sources] // block_bytes
        block = blocks + np.cumsum(np.diff(part, prepend=part[:1]) != 0)
        blocks = int(block[-1]) + 1 if len(block) else blocks
        sizes = np.diff(np.append(sources, len(table)))
        table = table.rename_columns({"bytes": "size"})
        table = table.append_column("shard", pa.array(np.full(len(table), number, np.int32)))
        table = table.append_column("block", pa.array(np.repeat(block, sizes).astype(np.int32)))
        yield table.select(SLOTS.names)
