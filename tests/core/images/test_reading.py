"""Images that threads read ahead of a model."""

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.overlap import Overlap
from workflow_scripts.core.images import reading
from workflow_scripts.core.images.reading import prepared

CUTS = [range(start, start + 2) for start in range(0, 40, 2)]


def rows_of(images: list[Image.Image]) -> list[int]:
    return [image.getpixel((0, 0))[0] for image in images]  # type: ignore[index]


def passed(images: Overlap, batches: Iterator[list[int]]) -> list[int]:
    """Rows in the order in which they reach the device."""
    found = []
    for batch in batches:
        images.work()
        found += batch
    return found


@pytest.mark.parametrize(("workers", "most"), [(2, 4_096), (16, 8)])
def test_images_are_read_in_order_while_the_device_works_and_few_at_a_time(
    workers: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_IMAGES", most)
    images: Any = Overlap(40, 2)
    assert passed(images, prepared(images, CUTS, rows_of, workers)) == list(range(40))
    assert images.during == 38  # all but those that the device waits for at first
    assert images.ahead <= 10


def test_reading_batch_by_batch_has_no_overlap() -> None:
    images = Overlap(4, 2)
    assert passed(images, (rows_of([images.image(row) for row in cut]) for cut in CUTS[:2])) == list(range(4))
    assert images.during == 0
