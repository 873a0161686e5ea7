"""Maps of a layer's channels that use no class: floors for Grad-CAM, which weighs the same channels."""

from collections.abc import Sequence

import numpy as np
import torch

from workflow_scripts.stats.seeds import derive


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
