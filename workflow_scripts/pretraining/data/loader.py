"""Batches for pretraining, each a function of seed and step only."""

import os
import signal
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._pytree import tree_map_only
from torch.utils.data import DataLoader, Dataset

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import mapped
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.colour import Changes, changes, finished
from workflow_scripts.pretraining.data.crops import PARTNER, cropped, draws
from workflow_scripts.pretraining.data.faithfulness import of_pairs
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.method import Signal, View
from workflow_scripts.pretraining.network import Batch
from workflow_scripts.pretraining.training.interrupt import SIGNALS
from workflow_scripts.stats.seeds import derive

SECONDS_TO_END = 5  # that loader processes have for their batch, once none is needed
READERS = 16  # threads; more than cores: they hide the latency of a file server


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
        epoch, number = divmod(step - 1, self.rows // self.batch)
        with self._lock:
            if epoch not in self._epochs:
                self._epochs.pop(epoch - 2, None)
                generator = np.random.Generator(np.random.PCG64(derive(self.seed, "order", epoch)))
                self._epochs[epoch] = generator.permutation(self.rows)
            return self._epochs[epoch][number * self.batch : (number + 1) * self.batch]


class CutBatch(NamedTuple):
    """A batch whose views are crops on the CPU, without their colours. Arrays travel faster between processes.

    Attributes:
        pixels: (v, b, s, s, 3) uint8.
        changes: of the colours of each view; None: they stay as they are.
        kernel: side of the blur's kernel; None: by the size of the views.
        step: number of the step, counted from 1.
        learned: what the method learns from besides images, by field of :class:`Batch`.
    """

    pixels: torch.Tensor
    changes: Sequence[Changes | None]
    kernel: int | None
    step: int
    learned: Mapping[str, np.ndarray]

    def finish(self, device: torch.device | str = "cpu") -> Batch:
        """The batch, ready for the network, on ``device``."""
        parts = (self.pixels, list(self.changes), dict(self.learned))
        pixels, changes, learned = tree_map_only((np.ndarray, torch.Tensor), partial(on_device, device=device), parts)
        views = (finished(view, made, self.kernel) for view, made in zip(pixels, changes, strict=True))
        return Batch(tuple(views), self.step, **learned)


def on_device(values: np.ndarray | torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """The values on ``device``, to which a GPU copies them while the processor does something else."""
    values = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if torch.device(device).type == "cpu":
        return values
    return values.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Batches:
    """Makes this process's part of each batch, b pairs with v views.

    Attributes:
        images: encoded images by row.
        keep: whether decoded images stay in memory.
        pairing: positive pairs.
        order: order of training.
        views: each view, and its augmentation.
        size: side of a view in pixels.
        seed: seed of the run.
        part: rank of this process, and number of processes.
        learned: what the method learns from besides images: indexed by (b,) positions in ``pairing.sources``, it gives
            the (b, ...) rows of these sources.
        faithfulness: (n,) float32, how faithful the caption of each image is, NaN if unknown; None: no weights.
        decoded: images that are kept in memory, by row.
    """

    images: TarImages
    keep: bool
    pairing: Pairing
    order: Order
    views: Sequence[tuple[View, Augmentation]]
    size: int
    seed: int
    part: tuple[int, int] = (0, 1)
    learned: Mapping[Signal, Any] = field(default_factory=dict)
    faithfulness: np.ndarray | None = None
    decoded: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the pixels of a batch: (v, b, size, size, 3)."""
        return len(self.views), self.order.batch // self.part[1], self.size, self.size, 3

    def __getitem__(self, step: int) -> CutBatch:
        """This process's pairs of step ``step``, counted from 1.

        Raises:
            PipelineError: an image is damaged.
            OSError: an image can't be read.
        """
        share = self.shape[1]
        first = self.part[0] * share
        positions = self.order.positions(step)[first : first + share]
        uniform = np.stack([draws(self.seed, step, view, first, share) for view in range(len(self.views))])
        number = 1 + max((view.partner for view, _ in self.views if view.image == "partner"), default=-1)
        partners = self.pairing.partners(positions, uniform[0, :, PARTNER], number)
        sources = self.pairing.sources[positions]
        shown = [sources if view.image == "source" else partners[view.partner] for view, _ in self.views]
        learned: dict[str, np.ndarray] = {name: rows[positions] for name, rows in self.learned.items()}
        if self.faithfulness is not None:
            learned["scores"] = of_pairs(self.faithfulness, sources, partners)
        augmentations = [augmentation for _, augmentation in self.views]
        colours = [
            changes(numbers, augmentation.blur == "old_kornia") if augmentation.colour else None
            for numbers, augmentation in zip(uniform, augmentations, strict=True)
        ]
        pixels = self._pixels(np.stack(shown), uniform)
        return CutBatch(pixels, colours, augmentations[0].blur_kernel, step, learned)

    def _pixels(self, shown: np.ndarray, uniform: np.ndarray) -> torch.Tensor:
        """Crops of the images in the rows (v, b) ``shown``, each read and decoded once: see :class:`CutBatch`."""
        pixels = torch.empty(self.shape, dtype=torch.uint8)
        rows, inverse = np.unique(shown, return_inverse=True)
        places = np.split(np.argsort(inverse, axis=None, kind="stable"), np.bincount(inverse.ravel()).cumsum()[:-1])
        kept = {row: self.decoded[row] for row in rows.tolist() if row in self.decoded}  # other threads add to it
        missing = [row for row in rows.tolist() if row not in kept]
        with closing(mapped(self.images.bytes, missing, READERS)) as read:
            for row, at in zip(rows.tolist(), places, strict=True):
                image = kept.get(row)
                if image is None:
                    image = self.images.decoded(row, next(read))
                    if self.keep:
                        self.decoded[row] = image
                for view, place in zip(*np.unravel_index(at, shown.shape), strict=True):
                    crop = cropped(image, self.views[view][1], uniform[view, place], self.size)
                    pixels[view, place] = crop.permute(1, 2, 0)
        return pixels


class _Caught(Dataset[CutBatch | Exception]):
    """Batches, or the error instead of one, which would lose its fields on its way from a loader process."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> CutBatch | Exception:
        try:
            return self.batches[step]
        except (PipelineError, OSError) as error:
            return error


def load(batches: Batches, steps: range, workers: int, pin: bool = False) -> Generator[CutBatch, None, None]:
    """The batch of each of ``steps``, in order, made ahead of the caller.

    Args:
        batches: make the batches.
        steps: numbers of steps.
        workers: processes that make them; one, or those that keep decoded images: threads of this process.
        pin: whether a GPU will copy them.

    Raises:
        PipelineError: an image is damaged.
        OSError: an image can't be read.
        RuntimeError: a process has died.
    """
    if workers == 1 or batches.keep:
        with closing(mapped(batches.__getitem__, steps, workers, workers + 1)) as loaded:
            yield from loaded
        return
    # Forked processes share the memory of indices, which hold millions of rows.
    loader = DataLoader(
        _Caught(batches),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        collate_fn=_same,
        pin_memory=pin,
        worker_init_fn=partial(_end_with, os.getpid()),
        multiprocessing_context="fork",
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # a cluster sends them to all processes of a job
    try:
        made: Any = iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        for batch in made:
            if isinstance(batch, Exception):
                raise batch
            yield batch
    finally:
        # At once, as a traceback may keep the iterator. Its own end is SIGTERM, which is blocked in them, and it waits
        # for each of them in turn, while a cluster gives a job that must end half a minute.
        late = threading.Timer(SECONDS_TO_END, _kill, [made._workers])
        late.start()
        try:
            made._shutdown_workers()
        finally:
            late.cancel()
            _kill(made._workers)


def _kill(workers: Sequence[Any]) -> None:
    for worker in workers:
        worker.kill()


def _end_with(parent: int, _: int) -> None:
    """End this loader process when process ``parent`` ends, even while it sends a batch that nobody reads any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _same(batch: Any) -> Any:
    return batch
