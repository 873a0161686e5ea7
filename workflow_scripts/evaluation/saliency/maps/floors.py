"""Maps that need no network: baselines, and the ceiling."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from workflow_scripts.evaluation.saliency.scores import IGNORE, OBJECT
from workflow_scripts.stats.seeds import derive

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL


def centre_gaussian(side: int) -> np.ndarray:
    """The centre bias of photographs: a round Gaussian with a standard deviation of 0.25 sides."""
    distance = (np.arange(side) - (side - 1) / 2) / (0.25 * side)
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


def lafam(channels: torch.Tensor) -> np.ndarray:
    """Mean of the channels (b, c, h, w), negative means as 0 (Karjauv and Albayrak 2024, arXiv:2407.06018).

    Without that paper's rescaling of each map: (b, h, w) float32.
    """
    return np.asarray(channels.mean(dim=1).clamp(min=0).numpy())


def eigen_cam(channels: torch.Tensor) -> np.ndarray:
    """Projection of each position on the first principal component of the channels (b, c, h, w): (b, h, w) float32.

    EigenCAM (Muhammad and Yeasin 2020, IJCNN), channels centred as in pytorch-grad-cam. The sign of a component is
    arbitrary: it is the one for which the largest absolute value is positive (Chung and Ying 2025, Appl. Sci. 15:7562,
    equation 13). Negative values as 0. Computed from the products of positions or of channels, whichever are fewer.
    """
    batch, _, height, width = channels.shape
    positions = channels.double().flatten(2).transpose(1, 2)
    positions = positions - positions.mean(dim=1, keepdim=True)
    if positions.shape[1] > positions.shape[2]:
        _, vectors = torch.linalg.eigh(positions.transpose(1, 2) @ positions)
        first = (positions @ vectors[:, :, -1:])[:, :, 0]
    else:
        values, vectors = torch.linalg.eigh(positions @ positions.transpose(1, 2))
        first = vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    flipped = first.amin(dim=1).abs() > first.amax(dim=1).abs()
    signed = torch.where(flipped[:, None], -first, first).clamp(min=0)
    return np.asarray(signed.float().reshape(batch, height, width).numpy())


def random_cam(channels: torch.Tensor, keys: Sequence[str], seed: int) -> np.ndarray:
    """Sum of the channels (b, c, h, w) with weights uniform in -1..1, by key; negative sums as 0: (b, h, w) float32."""
    width = channels.shape[1]
    weights = np.stack(
        [np.random.default_rng(derive(seed, "random_cam", key)).uniform(-1, 1, width) for key in keys]
    ).astype(np.float32)
    return np.asarray(torch.einsum("bc,bchw->bhw", torch.from_numpy(weights), channels).clamp(min=0).numpy())
