"""Images of a shard, decoded and preprocessed by threads while the models work on earlier batches."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from PIL import Image

from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import mapped

T = TypeVar("T")
MOST_THREADS = 4  # each has up to two batches in memory


def decoded(images: TarImages, cuts: Sequence[Sequence[int]], workers: int) -> Iterator[list[Image.Image]]:
    """The RGB images of each cut; later cuts are decoded while the caller works on this one."""
    return prepared(images, cuts, workers, lambda batch: batch)


def prepared(
    images: TarImages, cuts: Sequence[Sequence[int]], workers: int, prepare: Callable[[list[Image.Image]], T]
) -> Iterator[T]:
    """``prepare`` of the RGB images of each cut, in order.

    Args:
        cuts: rows of the images, by batch.
        workers: threads; with several, several batches are prepared at the same time.
        prepare: must give the same whatever else runs.

    Raises:
        PipelineError: an image can't be decoded; what ``prepare`` raises.
    """
    threads = max(1, min(workers, MOST_THREADS))
    return mapped(lambda cut: prepare([images.image(row) for row in cut]), cuts, threads)
