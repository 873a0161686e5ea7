"""Batches for pretraining, each a function of seed and step only, prefetched by threads."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.preprocessing import channels_first, normalise
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.augment import cut, draws, recolour
from workflow_scripts.pretraining.data.batch import Batch
from workflow_scripts.pretraining.data.faithfulness import of_pairs
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.method import Signal, View
from workflow_scripts.stats.seeds import derive

T = TypeVar("T")
Rows = Callable[[np.ndarray], torch.Tensor]
"""(b,) positions in ``Pairing.sources`` -> (b, ...) what is learned from these sources."""


class Decoded:
    """Images of shards as (3, h, w) uint8 tensors, kept in memory once decoded when ``keep``."""

    def __init__(self, images: TarImages, keep: bool) -> None:
        self._images, self._keep = images, keep
        self._kept: dict[int, torch.Tensor] = {}

    def __getitem__(self, row: int) -> torch.Tensor:
        found = self._kept.get(row)
        if found is None:
            found = channels_first(self._images.pixels(row))
            if self._keep:
                self._kept[row] = found
        return found


class Order:
    """Order of training: a new permutation per epoch, cut into full batches; the rest of an epoch is dropped.

    Args:
        rows: number of rows to draw from.
        batch: rows per batch.
        seed: seed of the run.

    Raises:
        PipelineError: there are fewer rows than one batch needs.
    """

    def __init__(self, rows: int, batch: int, seed: int) -> None:
        if rows < batch:
            value = f"batch_size is {batch}, but {rows} images are trained on"
            raise PipelineError("too few images", "settings of pretrain", value, "lower batch_size or add images")
        self.rows, self.batch, self.seed = rows, batch, seed
        self._lock = threading.Lock()
        self._epochs: dict[int, np.ndarray] = {}

    def positions(self, step: int) -> np.ndarray:
        """(batch,) int64 positions of step ``step``, counted from 1."""
        epoch, place = divmod(step - 1, self.rows // self.batch)
        with self._lock:
            if epoch not in self._epochs:
                self._epochs.pop(epoch - 2, None)
                generator = np.random.Generator(np.random.PCG64(derive(self.seed, "order", epoch)))
                self._epochs[epoch] = generator.permutation(self.rows)
            return self._epochs[epoch][place * self.batch : (place + 1) * self.batch]


@dataclass(frozen=True)
class Cut:
    """One view of each row of a batch: (b, 3, s, s) uint8, and its (b, DRAWS) uniform numbers."""

    pixels: torch.Tensor
    uniform: np.ndarray
    augmentation: Augmentation

    def finish(self, device: torch.device) -> torch.Tensor:
        """Colours changed and normalised on ``device``: (b, 3, s, s) float32, channels last in memory."""
        coloured = recolour(self.pixels.to(device, non_blocking=True), self.uniform, self.augmentation)
        return normalise(coloured).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class CutBatch:
    """A batch whose views are crops on the CPU, without their colours."""

    views: Sequence[Cut]
    step: int
    learned: Mapping[str, torch.Tensor]

    def finish(self, device: torch.device) -> Batch:
        """The batch, ready for the network, on ``device``."""
        views = tuple(view.finish(device) for view in self.views)
        return Batch(views, self.step, **{name: rows.to(device) for name, rows in self.learned.items()})


@dataclass(frozen=True)
class Batches:
    """Makes this process's part of each batch.

    Attributes:
        images: decoded images by row.
        pairing: positive pairs.
        order: order of training.
        views: each view, and its augmentation.
        size: side of a view in pixels.
        seed: seed of the run.
        part: rank of this process, and number of processes.
        learned: what the method learns from besides images.
        faithfulness: (n,) float32, how faithful the caption of each image is, NaN if unknown; None: no weights.
    """

    images: Decoded
    pairing: Pairing
    order: Order
    views: Sequence[tuple[View, Augmentation]]
    size: int
    seed: int
    part: tuple[int, int] = (0, 1)
    learned: Mapping[Signal, Rows] = field(default_factory=dict)
    faithfulness: np.ndarray | None = None

    def cut(self, step: int) -> CutBatch:
        """This process's b pairs of step ``step``, counted from 1."""
        rank, processes = self.part
        share = self.order.batch // processes
        positions = self.order.positions(step)[rank * share : (rank + 1) * share]
        rows = self.pairing.sources[positions]
        wanted = 1 + max((view.partner for view, _ in self.views if view.image == "partner"), default=-1)
        partners = self.pairing.partners(positions, self.seed, step, wanted)
        views = []
        for number, (view, augmentation) in enumerate(self.views):
            uniform = draws(self.seed, step, rows, number)
            shown = rows if view.image == "source" else partners[view.partner]
            images = [self.images[row] for row in shown.tolist()]
            views.append(Cut(cut(images, uniform, augmentation, self.size), uniform, augmentation))
        learned: dict[str, torch.Tensor] = {name: of(positions) for name, of in self.learned.items()}
        if self.faithfulness is not None:
            learned["scores"] = torch.from_numpy(of_pairs(self.faithfulness, rows, partners))
        return CutBatch(views, step, learned)


def prefetch(make: Callable[[int], T], steps: range, workers: int) -> Generator[T, None, None]:
    """``make(step)`` for each of ``steps``, in order; ``workers`` threads make up to ``workers`` + 1 of them ahead."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    ahead: deque[Future[T]] = deque()
    rest = iter(steps)
    try:
        for step in rest:
            ahead.append(pool.submit(make, step))
            if len(ahead) > workers:
                break
        while ahead:
            made = ahead.popleft().result()
            following = next(rest, None)
            if following is not None:
                ahead.append(pool.submit(make, following))
            yield made
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
