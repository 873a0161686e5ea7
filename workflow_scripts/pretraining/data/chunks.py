"""The images of a step in chunks, each image once, and how a chunk fills its places in the batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from workflow_scripts.core.images.decoding import jpeg_size
from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.crops import Crops

MOST = 32  # images in a chunk: their encoded bytes are in memory together
PART = 4  # images that a reader reads in one go
Encoded = dict[int, bytes]


@dataclass(frozen=True)
class Chunk:
    """Some images of a step, and which views are cut from them.

    Attributes:
        rows: (m,) int64, of the images, ascending.
        starts: (m + 1,) int64; views of ``rows[i]`` go to ``places[starts[i]:starts[i + 1]]``.
        places: (k,) int64, view * b + position in the batch of b pairs.
    """

    rows: np.ndarray
    starts: np.ndarray
    places: np.ndarray


def chunks(shown: np.ndarray, most: int) -> Iterator[Chunk]:
    """Chunks of at most ``most`` images for a step.

    Args:
        shown: (v, b) int64, the row that each view of each pair shows.
    """
    order = np.argsort(shown, axis=None, kind="stable")
    rows, first = np.unique(shown.ravel()[order], return_index=True)
    starts = np.append(first, len(order))
    for at in range(0, len(rows), most):
        bounds = starts[at : at + most + 1]
        yield Chunk(rows[at : at + most], bounds - bounds[0], order[bounds[0] : bounds[-1]])


class Filler:
    """Reads, decodes and crops images; several threads can share one.

    Args:
        images: encoded images.
        augmentations: of each view.
        size: side of a view.
        readers: threads that read, so that the latencies of a file system overlap.
        keep: whether decoded images stay in memory.
    """

    def __init__(
        self, images: TarImages, augmentations: Sequence[Augmentation], size: int, readers: int, keep: bool = False
    ) -> None:
        self.images, self.augmentations, self.size, self.keep = images, list(augmentations), size, keep
        self._kept: dict[int, np.ndarray] = {}
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="reader")

    def request(self, chunk: Chunk) -> list[Future[Encoded]]:
        """Start to read a chunk's images, for :meth:`fill`."""
        rows = [row for row in chunk.rows.tolist() if row not in self._kept]
        return [self._readers.submit(self._read, rows[i : i + PART]) for i in range(0, len(rows), PART)]

    def _read(self, rows: list[int]) -> Encoded:
        return {row: self.images.bytes(row) for row in rows}

    def fill(self, chunk: Chunk, requested: list[Future[Encoded]], pixels: torch.Tensor, uniform: np.ndarray) -> None:
        """Write a chunk's views.

        Args:
            chunk: of the step.
            requested: what :meth:`request` gave for it.
            pixels: (v, b, size, size, 3) uint8; only the chunk's places are written.
            uniform: (v, b, DRAWS), the randomness of all views.

        Raises:
            PipelineError: an image is damaged.
            OSError: an image can't be read.
        """
        encoded = {row: data for part in requested for row, data in part.result().items()}
        rows, starts, places = chunk.rows.tolist(), chunk.starts.tolist(), chunk.places.tolist()
        images = self._opened(rows, encoded)
        shapes = np.repeat(np.array([shape for shape, _ in images]), np.diff(chunk.starts), axis=0)
        buffer = np.empty(3 * int(shapes.prod(axis=1).max()), np.uint8)
        views = [self.augmentations[place // pixels.shape[1]] for place in places]
        drawn = uniform.reshape(-1, uniform.shape[2])[chunk.places]
        crops = Crops(views, drawn, shapes[:, 0], shapes[:, 1], self.size)
        flat = pixels.flatten(0, 1).permute(0, 3, 1, 2)
        for i, (row, (_, image)) in enumerate(zip(rows, images, strict=True)):
            if image is None:
                image = self._decoded(row, encoded.pop(row), buffer)
            for view in range(starts[i], starts[i + 1]):
                place = places[view]
                crops.write(view, image, flat[place : place + 1])

    def _opened(self, rows: list[int], encoded: Encoded) -> list[tuple[tuple[int, int], np.ndarray | None]]:
        """Height and width of each image, and its pixels where those of its header may be others."""
        opened: list[tuple[tuple[int, int], np.ndarray | None]] = []
        for row in rows:
            image = self._kept.get(row)
            size = jpeg_size(encoded[row]) if image is None else None
            if size is None:
                image = self._decoded(row, encoded.pop(row)) if image is None else image
                size = image.shape[0], image.shape[1]
            opened.append((size, image))
        return opened

    def _decoded(self, row: int, data: bytes, buffer: np.ndarray | None = None) -> np.ndarray:
        if not self.keep:
            return self.images.decoded(row, data, buffer)
        image = self._kept[row] = self.images.decoded(row, data)
        return image
