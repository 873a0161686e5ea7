"""A pair of a test image and a training image that shows the same, and the table of these pairs."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

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
    identical = sum(WAYS[0] in one for one in ways.values())
    return {
        "identical": identical,
        "near": len(ways) - identical,
        **{way: sum(way in one for one in ways.values()) for way in WAYS},
    }
