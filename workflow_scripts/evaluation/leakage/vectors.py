"""Pairs of a test image and a training image whose vectors, from an image encoder, have a high cosine."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.leakage.alignment import Fit, fit, places_of, turned
from workflow_scripts.evaluation.leakage.fingerprints import VIEWS, Fingerprints
from workflow_scripts.evaluation.leakage.match import Match, view_of

COSINES = pa.schema([("test", pa.string()), ("train", pa.string()), ("cosine", pa.float32())])
SLACK = 1e-4  # more than the rounding errors of products of unit vectors
AT_ONCE = 4_096
PLACES = places_of(0.8)  # where the alignment starts: one picture is the other, or a crop of 64 % of its area

Cosines = Mapping[str, Mapping[int, float]]
"""Training image -> rows of test images whose vectors are close -> cosine."""


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
    for start in range(0, len(test), AT_ONCE):
        part = slice(start, start + AT_ONCE)
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
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
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
    best, area, mirrored = np.full(n, -1.0), np.ones(n), np.zeros(n, int)
    for mirror in (0, 1):
        shown = turned(tests, np.full(n, bool(mirror)))
        for found in _fits(shown, training):
            better = found.correlation > best
            best[better], area[better], mirrored[better] = found.correlation[better], found.area[better], mirror
    return best, area, mirrored


def _fits(tests: np.ndarray, training: np.ndarray) -> Iterator[Fit]:
    places = [np.broadcast_to(place, (len(tests), 4)) for place in PLACES]
    for place in places:
        yield fit(tests, training, place)
    for place in places[1:]:
        correlation, area = fit(training, tests, place)
        yield Fit(correlation, 1 / area)
