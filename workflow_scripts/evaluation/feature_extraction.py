"""Frozen features of a network, image by image, in row order."""

from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.threads import mapped
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.models.preprocessing import normalise, pinned

AT_ONCE = 32  # batches


@torch.inference_mode()
def extract(network: nn.Module, images: PackedImages, batch: int, device: str, source: Path) -> np.ndarray:
    """Features of all images: (n, d) float32.

    Args:
        network: (b, 3, s, s) float32 -> (b, d) float32, in evaluation mode.
        images: the set's images, of the size for which the network was trained.
        batch: images per forward pass; part of the settings because it can change the last bits.
        source: the weights' path, for errors.

    Raises:
        PipelineError: a feature is not finite.
    """
    network = network.to(device)
    starts = range(0, len(images.pixels), batch)

    def read(start: int) -> torch.Tensor:
        return pinned(images.batch(slice(start, start + batch)), device)

    batches = fed(mapped(read, progress(starts, len(starts), "features"), 1))
    computed = (network(normalise(pixels.to(device, non_blocking=True))).float() for pixels in batches)
    parts = []
    while several := list(islice(computed, AT_ONCE)):  # one copy from the device for all, since each would wait for it
        parts.append(torch.cat(several).cpu().numpy())
    features = np.concatenate(parts)
    bad = int((~np.isfinite(features).all(axis=1)).sum())
    if bad:
        value = f"{bad} of {len(features)} images"
        raise PipelineError("features not finite", source, value, "training diverged; lower the learning rate")
    return features
