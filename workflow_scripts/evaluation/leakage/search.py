"""Which images of a test split are in the training images, identical or nearly so."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import faiss
import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.leakage.fingerprints import HASH_BYTES, VIEWS, Fingerprints

NEAREST = 8
"""Training images that are examined for each view of a test image and block, and listed for each test image."""
AT_ONCE = 4_096
"""Test images that are compared at a time, so that not all small pictures are in memory as float64."""
MATCHES = pa.schema(
    [
        *[(name, pa.string()) for name in ("test", "train", "kind", "view")],
        ("distance", pa.int32()),
        ("correlation", pa.float64()),
    ]
)


class Limits(NamedTuple):
    """Near duplicates: at most ``distance`` bits of the hash differ, and they correlate by at least ``correlation``."""

    distance: int
    correlation: float


class Match(NamedTuple):
    """A training image that shows the same as a test image; the fields are those of :data:`MATCHES`."""

    test: int
    train: str
    kind: str
    view: int
    distance: int
    correlation: float

    @property
    def rank(self) -> tuple[bool, int, float, str]:
        """Sorts a test image's matches, the closest first."""
        return self.kind != "identical", self.distance, -self.correlation, self.train


def matches(tests: Fingerprints, shards: Iterable[tuple[list[str], Fingerprints]], limits: Limits) -> list[Match]:
    """The closest :data:`NEAREST` matches of each test image, by test image.

    Memory holds the fingerprints of the test images and of one block of shards.

    Args:
        tests: in all views.
        shards: keys and fingerprints of the training images, in one view.
    """
    rows_of: dict[bytes, list[int]] = {}
    for row, pixels in enumerate(tests.pixels):
        rows_of.setdefault(pixels.tobytes(), []).append(row)
    best: dict[int, dict[str, Match]] = {}
    for keys, shard in shards:
        touched = set()
        for match in chain(_identical(rows_of, keys, shard), _near(tests, keys, shard, limits)):
            touched.add(match.test)
            mine = best.setdefault(match.test, {})
            if match.train not in mine or match.rank < mine[match.train].rank:
                mine[match.train] = match
        for row in touched:
            kept = sorted(best[row].values(), key=lambda one: one.rank)[:NEAREST]
            best[row] = {one.train: one for one in kept}
    return [match for row in sorted(best) for match in best[row].values()]


def _identical(rows_of: Mapping[bytes, list[int]], keys: list[str], shard: Fingerprints) -> Iterator[Match]:
    """Of each content, only the first copies by key: all pairs of a placeholder's copies would be too many."""
    copies: dict[bytes, list[str]] = {}
    for key, pixels in zip(keys, shard.pixels, strict=True):
        if (content := pixels.tobytes()) in rows_of:
            copies.setdefault(content, []).append(key)
    for content, names in copies.items():
        for key in heapq.nsmallest(NEAREST, names):
            yield from (Match(row, key, "identical", 0, 0, 1.0) for row in rows_of[content])


def _near(tests: Fingerprints, keys: list[str], shard: Fingerprints, limits: Limits) -> Iterator[Match]:
    wanted, there = np.flatnonzero(~tests.flat), np.flatnonzero(~shard.flat)
    if not len(wanted) or not len(there):
        return
    index = faiss.IndexBinaryFlat(8 * HASH_BYTES)
    index.add(np.ascontiguousarray(shard.hashes[there, 0]))
    for start in range(0, len(wanted), AT_ONCE):
        rows, view, at, bits = _nearest(index, tests, wanted[start : start + AT_ONCE], limits.distance)
        other = there[at]
        correlation = _correlation(tests.smalls[rows, view], shard.smalls[other, 0])
        for i in np.flatnonzero(correlation >= limits.correlation):
            close = round(float(correlation[i]), 6)
            yield Match(int(rows[i]), keys[other[i]], "near", int(view[i]), int(bits[i]), close)


def _nearest(
    index: faiss.IndexBinaryFlat, tests: Fingerprints, wanted: np.ndarray, most: int
) -> tuple[np.ndarray, ...]:
    """Hashes within ``most`` bits of those of some test images: rows, views, places in the index, and bits."""
    views = tests.hashes.shape[1]
    distance, at = index.search(tests.hashes[wanted].reshape(-1, HASH_BYTES), min(NEAREST, index.ntotal))
    query, place = np.nonzero(distance <= most)
    return wanted[query // views], query % views, at[query, place], distance[query, place]


def _correlation(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Of the rows of two arrays (n, 256) int8 without their mean: (n,) float64."""
    one, two = one.astype(np.float64), two.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    return np.einsum("ij,ij->i", one, two) / np.maximum(lengths, 1e-12)


def matches_table(found: Iterable[Match], keys: list[str]) -> pa.Table:
    """One row per match, with the keys of the test images (``keys``, by row) and the names of the views."""
    rows = [match._asdict() | {"test": keys[match.test], "view": VIEWS[match.view]} for match in found]
    return pa.Table.from_pylist(rows, MATCHES)
