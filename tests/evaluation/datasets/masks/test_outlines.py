"""Outlines against pycocotools' own decoder, and what it must never see."""

import math
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as cocotools

from workflow_scripts.evaluation.datasets.masks.outlines import encoded_outline, outline_area, outline_pixels

SIZE = (12, 10)


def pixels(segmentation: Any) -> np.ndarray:
    counts = encoded_outline(segmentation, *SIZE)
    found = outline_pixels(counts, *SIZE)
    assert outline_area(counts, *SIZE) == found.sum()
    return found


def test_polygons_are_filled_and_joined() -> None:
    expected = np.zeros(SIZE, bool)
    expected[2:6, 1:4] = True
    assert (pixels([[1, 2, 4, 2, 4, 6, 1, 6]]) == expected).all()
    expected[8:12, 5:10] = True
    assert (pixels([[1, 2, 4, 2, 4, 6, 1, 6], [5.0, 8.0, 10.0, 8.0, 10.0, 12.0, 5.0, 12.0]]) == expected).all()


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_as_numbers_and_as_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.random(SIZE) < rng.random()
    text = cocotools.encode(np.asfortranarray(expected.astype(np.uint8)))["counts"].decode()
    column = np.concatenate([[0], expected.T.ravel().astype(int), [2]])
    changes = np.flatnonzero(np.diff(column))
    lengths = np.diff(np.concatenate([[0], changes])).tolist()
    for counts in (text, lengths):
        assert (pixels({"size": list(SIZE), "counts": counts}) == expected).all()


def test_a_long_run_as_text() -> None:
    size = (3000, 2000)
    expected = np.zeros(size, np.uint8)
    expected[:, 1500:] = 1
    text = cocotools.encode(np.asfortranarray(expected))["counts"].decode()
    counts = encoded_outline({"size": list(size), "counts": text}, *size)
    assert outline_area(counts, *size) == 1_500_000


SQUARE = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "neither"),
        ("abc", "neither"),
        ([], "no polygon"),
        ([[]], "three pairs"),
        ([[1, 1, 5, 5]], "three pairs"),  # pycocotools takes four numbers for a box
        ([[*SQUARE, 2.0]], "three pairs"),
        ([[1, 1, 5, "1", 5, 5]], "three pairs"),
        ([[1, 1, 5, True, 5, 5]], "three pairs"),
        ([[1, 1, math.inf, 1, 5, 5]], "outside the image"),
        ([[1, 1, 5, math.nan, 5, 5]], "outside the image"),
        ([[math.nan, 1, 5, 1, 5, 5]], "outside the image"),
        ([[1, 1, 10**400, 1, 5, 5]], "outside the image"),
        ([[1, 1, 11.5, 1, 5, 5]], "outside the image"),
        ([[1, 1, 5, 13.5, 5, 5]], "outside the image"),
        ([SQUARE, {"x": 1}], "three pairs"),
        ([[1, 1, 1e9, 1, 5, 5]], "outside the image"),
        ([[1, -40, 5, 1, 5, 5]], "outside the image"),
        ([[0, 0, 10, 12, 10, 0] * 50], "longer than any outline"),
        ({}, "the size is not"),
        ({"size": [10, 12], "counts": [120]}, "the size is not"),
        ({"size": [12, 10]}, "not lengths"),
        ({"size": [12, 10], "counts": [119]}, "do not add up"),
        ({"size": [12, 10], "counts": [60, 61]}, "do not add up"),
        ({"size": [12, 10], "counts": [121, -1]}, "not lengths"),
        ({"size": [12, 10], "counts": [120.0]}, "not lengths"),
        ({"size": [12, 10], "counts": [2**70, 1]}, "do not add up"),
        ({"size": [12, 10], "counts": ""}, "do not add up"),
        ({"size": [12, 10], "counts": "PP"}, "end within a number"),
        ({"size": [12, 10], "counts": "ooooooooo0"}, "not COCO's text"),
        ({"size": [12, 10], "counts": "\x00\x7f\u1234"}, "not COCO's text"),
        ({"size": [12, 10], "counts": "O"}, "not lengths"),
    ],
)
def test_unfit_outlines(segmentation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoded_outline(segmentation, *SIZE)
