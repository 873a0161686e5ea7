"""Maps that need no network: baselines, and the ceiling."""

import numpy as np
import torch
from torch.nn import functional

from workflow_scripts.evaluation.saliency.masks import IGNORE, OBJECT

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL


def centre_gaussian(side: int, sigma: float) -> np.ndarray:
    """The centre bias of photographs: a round Gaussian with a standard deviation of ``sigma`` sides."""
    distance = (np.arange(side) - (side - 1) / 2) / (sigma * side)
    line = np.exp(-(distance**2) / 2)
    return np.outer(line, line)


def sobel(pixels: np.ndarray) -> np.ndarray:
    """Magnitude of the Sobel gradient of an image (h, w, 3) uint8, its edge pixels repeated: (h, w) float64."""
    grey = np.pad(pixels @ np.array(GREY), 1, mode="edge")
    across = grey[:, 2:] - grey[:, :-2]
    down = grey[2:] - grey[:-2]
    return np.hypot(across[:-2] + 2 * across[1:-1] + across[2:], down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:])


def oracle(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The object's share of the pixels of each cell of a layer's ``grid``: float32.

    Ignored pixels do not count; a cell of nothing else is 0.
    """
    parts = torch.from_numpy(np.stack([mask == OBJECT, mask != IGNORE]).astype(np.float32))
    inside, seen = functional.adaptive_avg_pool2d(parts[None], grid)[0]
    return np.asarray((inside / seen.clamp(min=torch.finfo().tiny)).numpy())


def enlarged(maps: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Maps (m, h, w) at the size of the input: (m, size, size) float32. ``mode``: ``bilinear`` or ``nearest``.

    Computed in float64: in float32, rounding would tell pixels between equal cells apart, and break their tie.
    """
    given = torch.from_numpy(np.ascontiguousarray(maps, np.float64))[None]
    smooth = {"align_corners": False} if mode == "bilinear" else {}
    return np.asarray(functional.interpolate(given, (size, size), mode=mode, **smooth)[0].float().numpy())
