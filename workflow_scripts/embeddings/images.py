"""Unit vectors of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workflow_scripts.core.images.reading import prepared
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.shards import TarImages
from workflow_scripts.embeddings.chunks import BATCHES, unfinished, unit_rows, vector_chunks


@dataclass(frozen=True)
class Encoder:
    """An image encoder in two steps.

    Attributes:
        prepare: n RGB images -> (n, 3, height, width) on the CPU; may run in several threads.
        encode: what ``prepare`` gives -> (n, d) float32, on the device.
        source: its file or folder, for errors.
    """

    prepare: Callable[[Sequence[Image.Image]], torch.Tensor]
    encode: Callable[[torch.Tensor], torch.Tensor]
    source: Path | None = None

    def __call__(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """n RGB images -> (n, d) float32."""
        return self.encode(self.prepare(images))


def embed(images: TarImages, encoder: Encoder, batch: int, work: Path, workers: int) -> np.ndarray:
    """(n, d) float32 unit rows of the images, which threads prepare; ``work`` holds the resume files."""
    left = unfinished(len(images), BATCHES * batch, work)
    cuts = [chunk[first : first + batch] for chunk in left for first in range(0, len(chunk), batch)]
    read = fed(prepared(images, cuts, encoder.prepare, workers))

    def compute(start: int, stop: int) -> np.ndarray:
        batches = islice(read, -(-(stop - start) // batch))
        # One copy from the device for all, since each would wait for it.
        return unit_rows(torch.cat([encoder.encode(pixels) for pixels in batches]).cpu().numpy())

    chunks = vector_chunks(len(images), BATCHES * batch, work, compute, "chunks of images embedded", encoder.source)
    found = [vectors for _, vectors in chunks]
    return np.concatenate(found) if found else np.zeros((0, 1), dtype=np.float32)
