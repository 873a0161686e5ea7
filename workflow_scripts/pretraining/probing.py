"""Online probe: weighted nearest neighbours on frozen features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.nearest import nearest_classes
from workflow_scripts.models.preprocessing import normalise, prepare
from workflow_scripts.stats.seeds import derive

BATCH = 256


@dataclass(frozen=True)
class ProbeRows:
    """Rows of labelled images for the probe: a bank that votes, and queries; labels are those of all images."""

    images: TarImages
    labels: np.ndarray
    bank: np.ndarray
    queries: np.ndarray


def split_rows(images: TarImages, labels: np.ndarray, most: int, seed: int) -> ProbeRows:
    """At most ``most`` rows of images without a split of their own; every fifth is a query.

    Raises:
        PipelineError: there are fewer than two images.
    """
    chosen = _choose(np.arange(len(labels)), most, seed, "probe")
    if len(chosen) < 2:
        raise PipelineError("too few images to probe", "pretrain", len(chosen), "add images or disable the probe")
    queries = max(1, len(chosen) // 5)
    return ProbeRows(images, labels, np.sort(chosen[queries:]), np.sort(chosen[:queries]))


def dataset_rows(
    images: TarImages, labels: np.ndarray, split: np.ndarray, most: int, seed: int, where: Path
) -> ProbeRows:
    """At most ``most`` rows of a labelled dataset: train is the bank, val the queries, test is never used.

    Raises:
        PipelineError: the table ``where`` has no train or no val rows.
    """
    train, val = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    if not len(train) or not len(val):
        value = f"{len(train)} train and {len(val)} val rows"
        raise PipelineError("probe needs both splits", where, value, "choose a dataset with a validation split")
    queries = _choose(val, max(1, min(len(val), most // 5)), seed, "probe-queries")
    bank = _choose(train, max(1, most - len(queries)), seed, "probe-bank")
    return ProbeRows(images, labels, np.sort(bank), np.sort(queries))


def _choose(rows: np.ndarray, most: int, seed: int, use: str) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(derive(seed, use)))
    return generator.permutation(rows)[:most]


class OnlineProbe:
    """Images of the probe, prepared once, and the accuracy of a backbone on them."""

    def __init__(self, rows: ProbeRows, size: int, neighbours: int, temperature: float) -> None:
        self._sides = [
            torch.stack([prepare(rows.images.image(row), size) for row in side.tolist()])
            for side in (rows.bank, rows.queries)
        ]
        self._labels = [rows.labels[side] for side in (rows.bank, rows.queries)]
        self._neighbours, self._temperature = neighbours, temperature

    def __call__(self, backbone: nn.Module, device: torch.device) -> float:
        """Accuracy of ``backbone``, which is temporarily put into evaluation mode."""
        training = backbone.training
        backbone.eval()
        bank, queries = (self._features(backbone, images, device) for images in self._sides)
        backbone.train(training)
        found = nearest_classes(bank, self._labels[0], queries, self._neighbours, self._temperature)
        return float((found == self._labels[1]).mean())

    @staticmethod
    @torch.no_grad()
    def _features(backbone: nn.Module, images: torch.Tensor, device: torch.device) -> np.ndarray:
        parts = []
        for part in images.split(BATCH):
            ready = normalise(part.to(device)).contiguous(memory_format=torch.channels_last)
            parts.append(backbone(ready).float().cpu())
        return torch.cat(parts).numpy()
