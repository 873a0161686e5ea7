"""Outlines of objects as COCO states them: polygons, or run lengths (RLE), plain or as text.

Every outline is checked here before pycocotools, a C library, sees it.
"""

from typing import Any

import numpy as np
from pycocotools import mask as cocotools

LONGEST = 4_000_000  # pixels along an outline; pycocotools needs 40 bytes for each
FEWEST = 6  # numbers of a polygon: three corners
_LONGEST_RUN = 7  # characters of 5 bits


def encoded_outline(segmentation: Any, height: int, width: int) -> bytes:
    """The pixels of an object in the compact form of pycocotools, which takes some 100 bytes.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, ...] in pixels, or {"size": [h, w], "counts": ...}.
        height, width: of the image.

    Raises:
        ValueError: it is neither, does not fit the image, or is absurdly long.
    """
    if isinstance(segmentation, list):
        rles = cocotools.frPyObjects(_polygons(segmentation, height, width), height, width)
        counts = cocotools.merge(rles)["counts"]
    elif isinstance(segmentation, dict):
        counts = cocotools.encode(np.asfortranarray(_from_runs(segmentation, height, width)))["counts"]
    else:
        raise ValueError("neither polygons nor run lengths")
    return bytes(counts)


def outline_area(counts: bytes, height: int, width: int) -> int:
    """Pixels of an :func:`encoded_outline`."""
    return int(cocotools.area({"size": [height, width], "counts": counts}))


def outline_pixels(counts: bytes, height: int, width: int) -> np.ndarray:
    """(height, width) bool of an :func:`encoded_outline`."""
    return np.asarray(cocotools.decode({"size": [height, width], "counts": counts}), dtype=bool)


def _polygons(polygons: list[Any], height: int, width: int) -> list[list[float]]:
    if not polygons:
        raise ValueError("no polygon")
    length = 0.0
    for one in polygons:
        if not isinstance(one, list) or len(one) < FEWEST or len(one) % 2 or not {*map(type, one)} <= {int, float}:
            raise ValueError("a polygon is not a list of at least three pairs of numbers")
        if not -1 <= min(one) <= max(one) <= max(height, width) + 1:  # also ends numbers that no float can hold
            raise ValueError("a corner lies outside the image")
        corners = np.array(one, np.float64).reshape(-1, 2)
        # Annotators' corners may lie on the border of the last pixel, or be rounded beyond it.
        if not (corners <= (width + 1, height + 1)).all():
            raise ValueError("a corner lies outside the image")
        length += float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum())
    if length > min(LONGEST, 4 * height * width + 1000):
        raise ValueError("polygons longer than any outline in such an image")
    return polygons


def _from_runs(runs: dict[str, Any], height: int, width: int) -> np.ndarray:
    """(height, width) uint8 from the lengths of runs, column by column, that are alternately outside and inside."""
    if runs.get("size") != [height, width]:
        raise ValueError("the size is not that of the image")
    counts = runs.get("counts")
    lengths = _lengths_of(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(type(one) is int and one >= 0 for one in lengths):
        raise ValueError("the counts are not lengths")
    if sum(lengths) != height * width:
        raise ValueError("the counts do not add up to the pixels of the image")
    inside = np.arange(len(lengths)) % 2
    return np.repeat(inside.astype(np.uint8), lengths).reshape(width, height).T


def _lengths_of(text: str) -> list[int]:
    """Lengths from COCO's text: 5 bits per character, lowest first, each from the fourth on less the one two before."""
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift >= 5 * _LONGEST_RUN:
            raise ValueError("the counts are not COCO's text")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("the counts end within a number")
    return lengths
