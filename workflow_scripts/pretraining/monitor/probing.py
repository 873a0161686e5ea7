"""Online probe: weighted nearest neighbours on frozen features, and which checkpoint is the best one by it.

Runs without a probe monitor the features of their first batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import in_threads
from workflow_scripts.models.nearest import nearest_classes, nearest_classes_on
from workflow_scripts.models.preprocessing import channels_first, fit, normalise
from workflow_scripts.pretraining.monitor.collapse import STATISTICS, feature_statistics
from workflow_scripts.pretraining.settings import Probe
from workflow_scripts.stats.seeds import derive

BATCH = 256
QUERIES = 10_000
"""Images of a dataset that are classified at most (1.5 GB at 224 px): their accuracy has a standard error of at most
half a percentage point, and the other processes of a run wait for them."""
STANDARD_ERRORS = 2  # of a gain that makes a checkpoint the best one
SEED = 0  # not that of the run: checkpoints of all seeds are chosen by the same images
IMAGES = 256
TIMES = 20  # how often in a run


@dataclass(frozen=True)
class ProbeRows:
    """Rows of labelled images for the probe: a bank that votes, and queries; labels are those of all images."""

    images: TarImages
    labels: np.ndarray
    bank: np.ndarray
    queries: np.ndarray


def split_rows(images: TarImages, labels: np.ndarray, most: int) -> ProbeRows:
    """At most ``most`` rows of images without a split of their own, the same in every run; every fifth is a query.

    Raises:
        PipelineError: there are fewer than two images.
    """
    chosen = _choose(np.arange(len(labels)), most, "probe")
    if len(chosen) < 2:
        raise PipelineError("too few images to probe", "pretrain", len(chosen), "add images or disable the probe")
    queries = max(1, len(chosen) // 5)
    return ProbeRows(images, labels, np.sort(chosen[queries:]), np.sort(chosen[:queries]))


def dataset_rows(images: TarImages, path: Path, most: int) -> ProbeRows:
    """Rows of a labelled dataset, the same in every run: at most :data:`QUERIES` of val, and a bank of at most ``most``
    of train.

    Test rows are never used.

    Raises:
        PipelineError: the dataset's table ``path`` has no train or no val rows.
    """
    table = pq.read_table(path, columns=["label", "split"])
    train, val = (np.flatnonzero(pc.equal(table["split"], name).to_numpy()) for name in ("train", "val"))
    if not len(train) or not len(val):
        value = f"{len(train)} train and {len(val)} val rows"
        raise PipelineError("probe needs both splits", path, value, "choose a dataset with a validation split")
    bank, queries = _choose(train, most, "probe-bank"), _choose(val, QUERIES, "probe-queries")
    return ProbeRows(images, table["label"].to_numpy(), np.sort(bank), np.sort(queries))


def _choose(rows: np.ndarray, most: int, use: str) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(derive(SEED, use)))
    return generator.permutation(rows)[:most]


class OnlineProbe:
    """Images of the probe, prepared once by ``workers`` threads, and which of them a backbone classifies correctly.

    Attributes:
        statistics: of the features that the last call has seen (:mod:`~workflow_scripts.pretraining.monitor.collapse`).
    """

    def __init__(self, rows: ProbeRows, size: int, probe: Probe, workers: int = 1) -> None:
        self._sides = [_prepared(rows.images, side, size, workers) for side in (rows.bank, rows.queries)]
        self._labels = [rows.labels[side] for side in (rows.bank, rows.queries)]
        self._probe = probe
        self.statistics: dict[str, float | None] = dict.fromkeys(STATISTICS)

    def __call__(self, backbone: nn.Module, device: torch.device) -> torch.Tensor:
        """(q,) bool: queries that ``backbone``, temporarily in evaluation mode, classifies correctly."""
        training = backbone.training
        backbone.eval()
        bank, queries = (self._features(backbone, images, device) for images in self._sides)
        backbone.train(training)
        self.statistics = feature_statistics(queries, self._labels[1], bank)
        votes = bank, self._labels[0], queries, self._probe.neighbours, self._probe.temperature
        found = nearest_classes(*votes) if device.type == "cpu" else nearest_classes_on(str(device), *votes)
        return torch.from_numpy(found == self._labels[1])

    @staticmethod
    @torch.no_grad()
    def _features(backbone: nn.Module, images: torch.Tensor, device: torch.device) -> np.ndarray:
        parts = []
        for part in images.split(BATCH):
            ready = normalise(part.to(device)).contiguous(memory_format=torch.channels_last)
            parts.append(backbone(ready).float().cpu())
        return torch.cat(parts).numpy()


def _prepared(images: TarImages, rows: np.ndarray, size: int, workers: int) -> torch.Tensor:
    """Some images as evaluation sees them: (n, 3, size, size) uint8, channels last in memory."""
    made = torch.empty((len(rows), 3, size, size), dtype=torch.uint8, memory_format=torch.channels_last)

    def prepare(place: int) -> None:
        made[place] = fit(channels_first(images.pixels(int(rows[place]))), size)

    in_threads(prepare, range(len(rows)), workers)
    return made


def is_gain(new: torch.Tensor, best: torch.Tensor) -> bool:
    """Whether a network is right more often than another one, by at least two standard errors of the difference.

    Of n images, g are classified correctly by the new network alone and l by the other one alone. The difference of
    accuracies is d = (g − l) / n, with the squared standard error (g + l − (g − l)² / n) / n² (Agresti 2002,
    "Categorical Data Analysis", section 10.1.1). Whole numbers are compared, so that no rounding decides.

    Args:
        new: (n,) bool, which images the network classifies correctly.
        best: (n,) bool, the same of the other network, for the same images.
    """
    gained, lost = int((new & ~best).sum()), int((best & ~new).sum())
    n, gain = len(new), gained - lost
    return gain > 0 and gain**2 * n >= STANDARD_ERRORS**2 * (n * (gained + lost) - gain**2)


class FirstBatch:
    """Views of the pairs of step 1, which are the same in every run with the same pairs and seed.

    Args:
        views: (b, 3, s, s) float32 normalised, of which the first two are the positive pairs of the alignment.
    """

    def __init__(self, views: Sequence[torch.Tensor]) -> None:
        self._views = [view[:IMAGES].clone() for view in views[:2]]  # a slice would keep the whole batch in memory

    @torch.no_grad()
    def __call__(self, backbone: nn.Module, device: torch.device) -> dict[str, float | None]:
        """Statistics of the features of ``backbone``, temporarily in evaluation mode."""
        training = backbone.training
        backbone.eval()
        features = [backbone(view.to(device)).float().cpu().numpy() for view in self._views]
        backbone.train(training)
        return feature_statistics(np.concatenate(features), np.tile(np.arange(len(features[0])), len(features)))


def interval(steps: int) -> int:
    """Steps between two measurements of the first batch."""
    return max(1, -(-steps // TIMES))
