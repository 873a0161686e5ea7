"""Images decoded and preprocessed by threads while a model works on earlier ones."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from PIL import Image

from workflow_scripts.core.threads import mapped

T = TypeVar("T")
MOST_IMAGES = 4_096  # in memory; each thread has up to two batches of them


class Images(Protocol):
    """Images by row."""

    def image(self, row: int) -> Image.Image:
        """The image of a row, RGB."""


def prepared(
    images: Images, cuts: Sequence[Sequence[int]], prepare: Callable[[list[Image.Image]], T], workers: int
) -> Iterator[T]:
    """``prepare`` of the RGB images of each cut, in order.

    Args:
        cuts: rows of the images, by batch.
        prepare: must give the same whatever else runs.
        workers: threads; with several, several batches are prepared at the same time.

    Raises:
        PipelineError: an image can't be decoded; what ``prepare`` raises.
    """
    threads = min(workers, MOST_IMAGES // (2 * max(map(len, cuts), default=1)))
    return mapped(lambda cut: prepare([images.image(row) for row in cut]), cuts, max(1, threads))
