"""Which images of a test split are in the training images, identical or nearly so: by hashes and by vectors."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import BUG, PipelineError
from workflow_scripts.evaluation.leakage.alignment import Fit, fit, inverse, places_of, turned
from workflow_scripts.evaluation.leakage.fingerprints import CROP, HASH_BYTES, VIEWS, Fingerprints

WAYS = ("by_pixels", "by_hash", "by_vectors")
"""How a pair can be found: each is a column of :data:`MATCHES`."""
SHOWN = ("whole", "training image cropped", "test image cropped")
PART = 0.95  # share of the area below which an image counts as a crop of the other
VIEWS_FOUND = (*SHOWN, *(f"{name}, mirrored" for name in SHOWN))
MATCHES = pa.schema(
    [
        *[(name, pa.string()) for name in ("test", "train")],
        *[(name, pa.bool_()) for name in WAYS],
        ("view", pa.string()),
        ("distance", pa.int32()),
        *[(name, pa.float64()) for name in ("correlation", "cosine")],
    ]
)
COSINES = pa.schema([("test", pa.string()), ("train", pa.string()), ("cosine", pa.float32())])
SLACK = 1e-4  # more than the rounding errors of products of unit vectors
PAIRS_AT_ONCE = 4_096
CROPS = places_of(0.8)  # where the alignment starts: one picture is the other, or a crop of 64 % of its area

Cosines = Mapping[str, Mapping[int, float]]
"""Training image -> rows of test images whose vectors are close -> cosine."""
NEAREST = 8
"""Training images that are examined for each view of a test image and block, and listed for each test image."""
AT_ONCE = 512
"""Test images that are compared at a time, so that not all pictures of candidates are in memory."""
PLACES = places_of(CROP)


class Match(NamedTuple):
    """A training image that shows the same as a test image; the fields are those of :data:`MATCHES`.

    Attributes:
        test: row of the test image.
        train: key of the training image.
        by_pixels: whether the decoded pixels are identical.
        by_hash: whether perceptual hashes are close, and the pictures agree.
        by_vectors: whether an encoder's vectors are close, and the pictures agree.
        view: index into :data:`VIEWS_FOUND`.
        distance: bits of the hashes that differ: the fewest of all views by hash, of the whole images otherwise.
        correlation: of the aligned pictures.
        cosine: of the vectors; None if they were not compared or not close.
    """

    test: int
    train: str
    by_pixels: bool
    by_hash: bool
    by_vectors: bool
    view: int
    distance: int
    correlation: float
    cosine: float | None = None

    @property
    def rank(self) -> tuple[bool, int, float, str]:
        """Sorts a test image's matches, the closest first."""
        return not self.by_pixels, self.distance, -self.correlation, self.train

    def joined(self, other: "Match") -> "Match":
        """One match for two findings of the same pair, measured as the closer one."""
        closer = min(self, other, key=lambda one: one.rank)
        ways = {way: getattr(self, way) or getattr(other, way) for way in WAYS}
        return closer._replace(**ways, cosine=other.cosine if self.cosine is None else self.cosine)


def view_of(area: float, mirrored: bool) -> int:
    """Index into :data:`VIEWS_FOUND`, from the area of the training image as a share of the test image."""
    cropped = 1 if area < PART else 2 if area > 1 / PART else 0
    return cropped + len(SHOWN) * mirrored


def matches_table(found: Iterable[Match], keys: list[str]) -> pa.Table:
    """One row per match, with the keys of the test images (``keys``, by row) and the names of the views."""
    rows = [match._asdict() | {"test": keys[match.test], "view": VIEWS_FOUND[match.view]} for match in found]
    return pa.Table.from_pylist(rows, MATCHES)


def counts_of(found: Iterable[Match]) -> dict[str, int]:
    """Numbers of test images with an identical training image, with a near duplicate only, and found in each way."""
    ways: dict[int, set[str]] = {}
    for match in found:
        ways.setdefault(match.test, set()).update(way for way in WAYS if getattr(match, way))
    by_way = {way: sum(way in one for one in ways.values()) for way in WAYS}
    identical = by_way["by_pixels"]
    return {"identical": identical, "near": len(ways) - identical, **by_way}


def close_pairs(
    tests: np.ndarray, training: np.ndarray, rows: np.ndarray, products: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The candidates whose cosine is at least ``least``, in the order of the test images, the closest first.

    Args:
        tests: (m, d) float32 unit rows.
        training: (n, d) float32 unit rows, an array or a memory map.
        rows: (m, k) int64, candidates in ``training`` for each test image; -1 for none.
        products: (m, k) float32 cosines of the candidates, with rounding errors that depend on the machine.

    Returns:
        Rows of ``tests`` and of ``training``, and cosines in double precision: (p,) each.
    """
    test, place = np.nonzero((products >= least - SLACK) & (rows >= 0))
    train = rows[test, place]
    cosine = np.zeros(len(test))
    for start in range(0, len(test), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        cosine[part] = np.einsum("ij,ij->i", tests[test[part]].astype(float), training[train[part]].astype(float))
    kept = np.flatnonzero(cosine >= least)
    kept = kept[np.lexsort((train[kept], -cosine[kept], test[kept]))]
    return test[kept], train[kept], np.minimum(cosine[kept], 1.0)


def read_cosines(pairs: Sequence[Artifact], keys: list[str]) -> Cosines:
    """The pairs of an artifact of the stage ``vector_matches``, by training image; empty if vectors are not compared.

    Args:
        keys: of the test images, by row.
    """
    found: dict[str, dict[int, float]] = {}
    for artifact in pairs:
        table = pq.read_table(artifact.path(".parquet"))
        rows = pc.index_in(table["test"], value_set=pa.array(keys, pa.string()))
        columns = table["train"].to_pylist(), rows.to_pylist(), table["cosine"].to_pylist()
        for train, row, cosine in zip(*columns, strict=True):
            found.setdefault(train, {})[row] = cosine
    return found


def confirmed(
    tests: Fingerprints, keys: list[str], block: Fingerprints, cosines: Cosines, least: float
) -> Iterator[Match]:
    """Pairs whose vectors are close and whose pictures, once aligned, correlate by at least ``least``.

    Close vectors alone are no proof: two photos of the same dog, or two red cars, have them too. Images of nearly one
    colour are left out: their pictures would agree with others by a faint gradient.
    """
    shown = ((at, cosines.get(key, {})) for at, key in enumerate(keys) if not block.flat[at])
    pairs = [(row, at, cosine) for at, close in shown for row, cosine in close.items() if not tests.flat[row]]
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        row, at = np.array([pair[:2] for pair in part]).T
        correlation, area, mirrored = _best_fit(tests.pictures[row], block.pictures[at])
        differing = tests.hashes[row, VIEWS * mirrored] ^ block.hashes[at, 0]
        bits = np.unpackbits(differing, axis=1).sum(axis=1)
        for i in np.flatnonzero(correlation >= least):
            measured = int(bits[i]), float(correlation[i]), part[i][2]
            view = view_of(area[i], bool(mirrored[i]))
            yield Match(int(row[i]), keys[at[i]], False, False, True, view, *measured)


def _best_fit(tests: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best fits, with either picture in the other: correlation, area, and 1 where mirrored; (n,) each."""
    n = len(tests)
    sides = [list(_fits(turned(tests, np.full(n, mirror)), training)) for mirror in (False, True)]
    correlation, area = (np.stack(column) for column in zip(*sides[0], *sides[1], strict=True))
    best, pair = correlation.argmax(axis=0), np.arange(n)
    return correlation[best, pair], area[best, pair], best // len(sides[0])


def _fits(tests: np.ndarray, training: np.ndarray) -> Iterator[Fit]:
    places = [np.broadcast_to(place, (len(tests), 4)) for place in CROPS]
    for place in places:
        yield fit(tests, training, place)
    for place in places[1:]:
        correlation, area = fit(training, tests, place)
        yield Fit(correlation, 1 / area)


class Limits(NamedTuple):
    """Near by hash: at most ``distance`` bits differ, and aligned pictures correlate by at least ``correlation``."""

    distance: int
    correlation: float


NEAR = Limits(70, 0.93)
"""The default of studies."""


def same_pictures(first: Fingerprints, second: Fingerprints, limits: Limits) -> np.ndarray:
    """(m,) bool: whether two images have the same pixels, or are near by hash; copies may be cropped, not mirrored."""
    same = (first.pixels == second.pixels).all(axis=1)
    views = first.hashes[:, :1] ^ second.hashes, first.hashes[:, 1:] ^ second.hashes[:, :1]
    bits = np.unpackbits(np.concatenate(views, axis=1), axis=2).sum(axis=2, dtype=np.int64).min(axis=1)
    near = np.flatnonzero((bits <= limits.distance) & ~same & ~first.flat & ~second.flat)
    if len(near):
        same[near] = _best_fit(first.pictures[near], second.pictures[near])[0] >= limits.correlation
    return np.asarray(same)


def matches(
    tests: Fingerprints, blocks: Iterable[tuple[list[str], Fingerprints]], limits: Limits, cosines: Cosines
) -> list[Match]:
    """The closest :data:`NEAREST` matches of each test image, by test image.

    Memory holds the fingerprints of the test images and of one block of shards.

    Args:
        tests: with mirrored views.
        blocks: keys and fingerprints of the training images.
        cosines: pairs whose vectors are close.

    Raises:
        PipelineError: ``cosines`` names an image that is in no block.
    """
    rows_of: dict[bytes, list[int]] = {}
    for row, pixels in enumerate(tests.pixels):
        rows_of.setdefault(pixels.tobytes(), []).append(row)
    best: dict[int, dict[str, Match]] = {}
    unseen = set(cosines)
    for keys, block in blocks:
        unseen.difference_update(keys)
        touched = set()
        by_content, by_hash = _identical(rows_of, keys, block), _near(tests, keys, block, limits)
        for match in chain(by_content, by_hash, confirmed(tests, keys, block, cosines, limits.correlation)):
            touched.add(match.test)
            by_train = best.setdefault(match.test, {})
            by_train[match.train] = by_train[match.train].joined(match) if match.train in by_train else match
        for row in touched:
            best[row] = {one.train: one for one in heapq.nsmallest(NEAREST, best[row].values(), lambda one: one.rank)}
    if unseen:
        value = f"{len(unseen)} training images, such as {min(unseen)}"
        raise PipelineError("vectors of images without fingerprints", "image_hashes", value, BUG)
    return [match for row in sorted(best) for match in best[row].values()]


def _identical(rows_of: Mapping[bytes, list[int]], keys: list[str], block: Fingerprints) -> Iterator[Match]:
    """Of each content, only the first copies by key: all pairs of a placeholder's copies would be too many."""
    copies: dict[bytes, list[str]] = {}
    for key, pixels in zip(keys, block.pixels, strict=True):
        if (content := pixels.tobytes()) in rows_of:
            copies.setdefault(content, []).append(key)
    for content, names in copies.items():
        for key in heapq.nsmallest(NEAREST, names):
            yield from (Match(row, key, True, False, False, 0, 0, 1.0) for row in rows_of[content])


def _near(tests: Fingerprints, keys: list[str], block: Fingerprints, limits: Limits) -> Iterator[Match]:
    """The whole test image is compared with all views of the training images, its crops with whole ones only."""
    wanted, there = np.flatnonzero(~tests.flat), np.flatnonzero(~block.flat)
    if not len(wanted) or not len(there):
        return
    indexes = [_index(block.hashes[there, view]) for view in range(VIEWS)]
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        found = [_nearest(index, tests, part, view, limits.distance) for view, index in enumerate(indexes)]
        row, shown, at, view, bits = _closest(*(np.concatenate(column) for column in zip(*found, strict=True)))
        other = there[at]
        mirrored, crop = np.divmod(shown, VIEWS)
        places = np.where((view == 0)[:, None], PLACES[crop], inverse(PLACES[view]))
        places[:, 2] *= np.where((view == 0) & (mirrored == 1), -1, 1)  # the crop was mirrored after it was cut
        correlation, area = fit(turned(tests.pictures[row], mirrored == 1), block.pictures[other], places)
        for i in np.flatnonzero(correlation >= limits.correlation):
            measured = view_of(area[i], bool(mirrored[i])), int(bits[i]), float(correlation[i])
            yield Match(int(row[i]), keys[other[i]], False, True, False, *measured)


def _index(hashes: np.ndarray) -> faiss.IndexBinaryFlat:
    index = faiss.IndexBinaryFlat(8 * HASH_BYTES)
    index.add(np.ascontiguousarray(hashes))
    return index


def _nearest(
    index: faiss.IndexBinaryFlat, tests: Fingerprints, rows: np.ndarray, view: int, most: int
) -> tuple[np.ndarray, ...]:
    """Hashes of a view of training images within ``most`` bits of those of some test images.

    Returns:
        Rows and views of test images, places in the index, the view of the training images, and bits; (m,) int each.
    """
    asked = np.arange(tests.hashes.shape[1])[:: VIEWS if view else 1]
    hashes = np.ascontiguousarray(tests.hashes[np.ix_(rows, asked)]).reshape(-1, HASH_BYTES)
    distance, at = index.search(hashes, min(NEAREST, index.ntotal))
    query, place = np.nonzero(distance <= most)
    shown = asked[query % len(asked)]
    return rows[query // len(asked)], shown, at[query, place], np.full(len(query), view), distance[query, place]


def _closest(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each pair of images, the finding with the fewest bits."""
    row, shown, at, view, bits = columns
    order = np.lexsort((view, shown, bits, at, row))
    pairs = np.stack([row[order], at[order]])
    first = np.ones(len(order), bool)
    first[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return tuple(column[order[first]] for column in columns)
