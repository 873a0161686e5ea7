"""Faithfulness: how much a logit changes if the pixels that a map ranks highest, or lowest, are removed.

ROAD (Rong et al. 2022, ICML): removed pixels are replaced by noisy linear combinations of their neighbours, so that
their shape says little. The imputation is pytorch-grad-cam's.
"""

from collections.abc import Callable

import numpy as np
import torch
from pytorch_grad_cam.metrics.road import ROADLeastRelevantFirst, ROADMostRelevantFirst
from torch import nn

from workflow_scripts.evaluation.saliency.maps.grad_cam import Target

ORDERS: dict[str, Callable[[int], object]] = {"most": ROADMostRelevantFirst, "least": ROADLeastRelevantFirst}
BATCH = 32


def drops(
    network: nn.Module, images: torch.Tensor, maps: np.ndarray, target: Callable[[slice], Target], share: int, seed: int
) -> dict[str, np.ndarray]:
    """Fall of the logit without the ``share`` per cent of pixels of highest (``most``) and lowest (``least``) value.

    Ties are broken at random: with the library alone, a map whose lowest value is that of more pixels than are to be
    removed would lose all of them.

    Args:
        network: on the images' device.
        images: (n, 3, s, s) float32, normalised.
        maps: (n, s, s) float32.
        target: images of the batch -> features (b, d) -> logits (b,).
        seed: of ties and of the imputation's noise.

    Returns:
        Order -> (n,) float64: the logit before minus the logit after.
    """
    ranks = _ranks(maps, seed)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ORDERS}
    with torch.random.fork_rng():
        for name, order in ORDERS.items():
            torch.manual_seed(seed)
            for start in range(0, len(images), BATCH):
                part = slice(start, start + BATCH)
                found[name].append(_drop(network, images[part], ranks[part], target(part), order(100 - share)))
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def _drop(network: nn.Module, images: torch.Tensor, ranks: np.ndarray, target: Target, measure: object) -> np.ndarray:
    with torch.no_grad():
        before = target(network(images)).cpu().numpy()
    logits = [lambda features, at=at: target_of(target, features, at, len(images)) for at in range(len(images))]
    after = measure(images, ranks, logits, network, return_diff=False)  # type: ignore[operator]
    return np.asarray(before - after)


def target_of(target: Target, features: torch.Tensor, at: int, count: int) -> torch.Tensor:
    """The score of the ``at``-th of ``count`` images, given its features (d,) alone."""
    return target(features.expand(count, -1))[at]


def _ranks(maps: np.ndarray, seed: int) -> np.ndarray:
    """Ranks of the pixels of each map, as shares in 0..1 float32, ties in random order."""
    flat = maps.reshape(len(maps), -1)
    noise = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((noise, flat), axis=1)
    ranks = np.empty(flat.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(flat.shape[1], dtype=np.float32)[None] / flat.shape[1], axis=1)
    return ranks.reshape(maps.shape)
