"""Which images of a test split are in the training images, identical or nearly so."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import faiss
import numpy as np

from workflow_scripts.core.errors import BUG, PipelineError
from workflow_scripts.evaluation.leakage.alignment import fit, inverse, places_of, turned
from workflow_scripts.evaluation.leakage.fingerprints import CROP, HASH_BYTES, VIEWS, Fingerprints
from workflow_scripts.evaluation.leakage.match import Match, view_of
from workflow_scripts.evaluation.leakage.vectors import Cosines, confirmed

NEAREST = 8
"""Training images that are examined for each view of a test image and block, and listed for each test image."""
AT_ONCE = 512
"""Test images that are compared at a time, so that not all pictures of candidates are in memory."""
PLACES = places_of(CROP)


class Limits(NamedTuple):
    """Near by hash: at most ``distance`` bits differ, and aligned pictures correlate by at least ``correlation``."""

    distance: int
    correlation: float


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
            mine = best.setdefault(match.test, {})
            mine[match.train] = mine[match.train].joined(match) if match.train in mine else match
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
