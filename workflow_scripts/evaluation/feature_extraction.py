"""Frozen features of a network, image by image, in row order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.preprocessing import normalise, prepare


def batches(
    rows: np.ndarray, batch: int, load: Callable[[int], torch.Tensor], workers: int
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Rows in batches with their loaded tensors stacked; the next batch is loaded while one is in use.

    At most two batches are in memory; the result does not depend on the number of workers.
    """
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = [pool.submit(load, int(row)) for row in parts[0]] if parts else []
        for i, part in enumerate(parts):
            current, following = waiting, parts[i + 1] if i + 1 < len(parts) else ()
            waiting = [pool.submit(load, int(row)) for row in following]
            yield part, torch.stack([one.result() for one in current])


@torch.inference_mode()
def extract(
    network: nn.Module,
    images: TarImages,
    size: int,
    batch: int,
    device: str,
    workers: int,
    source: Path,
    resize: str = "bilinear",
) -> np.ndarray:
    """Features of all images: (n, d) float32.

    Args:
        network: (b, 3, size, size) float32 -> (b, d) float32, in evaluation mode.
        images: the set's images.
        size: side in pixels of the centre crop for which the network was trained.
        batch: images per forward pass; part of the settings because it can change the last bits.
        source: the weights' path, for errors.
        resize: ``bilinear`` or ``bicubic``.

    Raises:
        PipelineError: a feature is not finite.
    """
    network = network.to(device)
    loaded = batches(np.arange(len(images)), batch, lambda row: prepare(images.image(row), size, resize), workers)
    total = -(-len(images) // batch)
    parts = [
        network(normalise(pixels.to(device))).float().cpu().numpy() for _, pixels in progress(loaded, total, "features")
    ]
    features = np.concatenate(parts)
    bad = int((~np.isfinite(features).all(axis=1)).sum())
    if bad:
        value = f"{bad} of {len(features)} images"
        raise PipelineError("features not finite", source, value, "training diverged; lower the learning rate")
    return features
