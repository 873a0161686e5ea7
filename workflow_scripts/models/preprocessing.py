"""Image preprocessing for backbones."""

from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocessing(image_size: int) -> dict[str, Any]:
    """The preprocessing for evaluation by default, as recorded in ``run.json``."""
    return {"size": image_size, "resize": "shorter side, bilinear", "crop": "centre", "mean": MEAN, "std": STD}


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    """(h, w, 3) uint8 -> (3, h, w), the same memory."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def fit(values: torch.Tensor, size: int, mode: str = "bilinear", shorter: int | None = None) -> torch.Tensor:
    """(c, h, w) uint8 -> (c, size, size): shorter side resized, then the centre cropped, both as in torchvision.

    Args:
        size: side of the crop.
        mode: ``bilinear`` or ``bicubic`` (both antialiased), or ``nearest-exact``.
        shorter: shorter side after resizing, at least ``size``; None: ``size``.
    """
    height, width = values.shape[1:]
    shorter = size if shorter is None else shorter
    if min(height, width) != shorter:
        height, width = (shorter * side // min(height, width) for side in (height, width))
        smooth = {"antialias": True, "align_corners": False} if mode != "nearest-exact" else {}
        values = functional.interpolate(values[None], (height, width), mode=mode, **smooth)[0]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return values[:, top : top + size, left : left + size]


def prepare(image: Image.Image, size: int, mode: str = "bilinear", shorter: int | None = None) -> torch.Tensor:
    """An RGB image as evaluation sees it before :func:`normalise`: (3, size, size) uint8. Arguments: :func:`fit`."""
    return fit(channels_first(np.array(image, dtype=np.uint8)), size, mode, shorter)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) uint8 or float in 0..255 -> float32 with the mean and deviation that all our networks expect."""
    mean, std = _statistics(images.device)
    if not images.is_contiguous(memory_format=torch.channels_last):
        return (images.float() / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    # The same operations on rows of pixels: broadcasting three numbers along memory takes seven times as long.
    number, _, high, wide = images.shape
    rows = images.permute(0, 2, 3, 1).reshape(number * high, wide * 3) / 255
    return rows.sub_(mean.repeat(wide)).div_(std.repeat(wide)).view(number, high, wide, 3).permute(0, 3, 1, 2)


@cache
def _statistics(device: torch.device) -> torch.Tensor:
    """Means and deviations (2, 3): one copy to a GPU for all batches."""
    return torch.tensor((MEAN, STD), device=device)


def pinned(values: torch.Tensor, device: str) -> torch.Tensor:
    """What ``device`` will read, in memory from which a GPU copies while it computes."""
    return values.pin_memory() if device.startswith("cuda") else values
