"""Images of a shard, decoded and preprocessed by threads while the models work on earlier batches."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from PIL import Image

from workflow_scripts.core.shards import TarImages

T = TypeVar("T")
MOST_AHEAD = 4  # batches; images and pixels of each are in memory


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
    left = iter(cuts)
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:

        def submit() -> Iterator[Future[T]]:
            for cut in left:
                # Waiting for these in a thread of the same pool can't block: threads take tasks in order.
                batch = [pool.submit(images.image, row) for row in cut]
                yield pool.submit(lambda batch: prepare([one.result() for one in batch]), batch)

        ahead, source = deque[Future[T]](), submit()
        try:
            ahead.extend(islice(source, 1 + min(workers, MOST_AHEAD)))
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(islice(source, 1))
        finally:
            pool.shutdown(cancel_futures=True)
