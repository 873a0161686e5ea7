"""Batches for pretraining, each a function of seed and step only."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn.functional import pad
from torch.utils._pytree import tree_leaves, tree_map_only

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.batch import Batch
from workflow_scripts.pretraining.data.chunks import MOST, Filler, chunks
from workflow_scripts.pretraining.data.crops import PARTNER, draws
from workflow_scripts.pretraining.data.faithfulness import of_pairs
from workflow_scripts.pretraining.data.pairing import Pairing
from workflow_scripts.pretraining.data.recolour import Changes, Numbers, changes, finished
from workflow_scripts.pretraining.method import Signal, View
from workflow_scripts.stats.seeds import derive

T = TypeVar("T")
READERS = 16  # more than cores: they hide the latency of a file server
Rows = Callable[[np.ndarray], torch.Tensor]
"""(b,) positions in ``Pairing.sources`` -> (b, ...) what is learned from these sources."""


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


@dataclass(frozen=True)
class CutBatch:
    """A batch whose views are crops on the CPU, without their colours.

    Attributes:
        pixels: (v, b, s, s, 3) uint8.
        changes: of the colours of each view; None: they stay as they are.
        step: number of the step, counted from 1.
        learned: what the method learns from besides images, by field of :class:`Batch`.
        packed: the numbers of the changes and what is learned from, in one pinned tensor; None: not pinned.
    """

    pixels: torch.Tensor
    changes: Sequence[Changes | None]
    step: int
    learned: Mapping[str, torch.Tensor]
    packed: torch.Tensor | None = None

    def finish(self, device: torch.device | str = "cpu") -> Batch:
        """The batch, ready for the network, on ``device``; two copies bring it there."""
        pixels, others = self.pixels, self._others()
        assert self.packed is not None or str(device) == "cpu"
        if self.packed is not None:
            pixels = pixels.to(device, non_blocking=True)
            others = unpack(self.packed.to(device, non_blocking=True), others)
        views = (finished(*view) for view in zip(pixels, self.changes, others[0], strict=True))
        return Batch(tuple(views), self.step, **others[1])

    def pinned(self) -> "CutBatch":
        """A copy in pinned memory, from which a GPU copies while the processor does something else."""
        return replace(self, pixels=self.pixels.pin_memory(), packed=pack(self._others()).pin_memory())

    def _others(self) -> tuple[list[Numbers | None], dict[str, torch.Tensor]]:
        return [change.numbers if change else None for change in self.changes], dict(self.learned)


def pack(tensors: Any) -> torch.Tensor:
    """The bytes of nested tensors, one after the other, each at a multiple of 8: (n,) uint8."""
    leaves = [leaf for leaf in tree_leaves(tensors) if leaf is not None]
    parts = [pad(leaf.contiguous().view(-1).view(torch.uint8), (0, -leaf.nbytes % 8)) for leaf in leaves]
    return torch.cat([torch.empty(0, dtype=torch.uint8), *parts])


def unpack(packed: torch.Tensor, like: T) -> T:
    """What :func:`pack` packed, in the same nesting, as views of ``packed``."""
    start = 0

    def part(leaf: torch.Tensor) -> torch.Tensor:
        nonlocal start
        first, start = start, start + leaf.nbytes + -leaf.nbytes % 8
        return packed[first : first + leaf.nbytes].view(leaf.dtype).view(leaf.shape)

    return tree_map_only(torch.Tensor, part, like)


@dataclass(frozen=True)
class Drawn:
    """The images that a step shows, and its random numbers.

    Attributes:
        positions: (b,) int64, of the sources in ``Pairing.sources``.
        rows: (v, b) int64, of the image that each view shows.
        partners: (n, b) int64, rows of the partners of the pairs.
        uniform: (v, b, DRAWS) float64.
    """

    positions: np.ndarray
    rows: np.ndarray
    partners: np.ndarray
    uniform: np.ndarray


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
        learned: what the method learns from besides images.
        faithfulness: (n,) float32, how faithful the caption of each image is, NaN if unknown; None: no weights.
        readers: threads that read images.
    """

    images: TarImages
    keep: bool
    pairing: Pairing
    order: Order
    views: Sequence[tuple[View, Augmentation]]
    size: int
    seed: int
    part: tuple[int, int] = (0, 1)
    learned: Mapping[Signal, Rows] = field(default_factory=dict)
    faithfulness: np.ndarray | None = None
    readers: int = READERS

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the pixels of a batch: (v, b, size, size, 3)."""
        return len(self.views), self.order.batch // self.part[1], self.size, self.size, 3

    @cached_property
    def filler(self) -> Filler:
        """Fills batches in this process."""
        return Filler(self.images, [augment for _, augment in self.views], self.size, self.readers, self.keep)

    def drawn(self, step: int) -> Drawn:
        """What step ``step``, counted from 1, shows."""
        share = self.shape[1]
        first = self.part[0] * share
        positions = self.order.positions(step)[first : first + share]
        uniform = np.stack([draws(self.seed, step, view, first, share) for view in range(len(self.views))])
        number = 1 + max((view.partner for view, _ in self.views if view.image == "partner"), default=-1)
        partners = self.pairing.partners(positions, uniform[0, :, PARTNER], number)
        sources = self.pairing.sources[positions]
        rows = [sources if view.image == "source" else partners[view.partner] for view, _ in self.views]
        return Drawn(positions, np.stack(rows), partners, uniform)

    def cut(self, step: int) -> CutBatch:
        """This process's pairs of step ``step``, cut in this process."""
        drawn, pixels = self.drawn(step), torch.empty(self.shape, dtype=torch.uint8)
        parts = list(chunks(drawn.rows, MOST))
        for chunk, requested in zip(parts, list(map(self.filler.request, parts)), strict=True):
            self.filler.fill(chunk, requested, pixels, drawn.uniform)
        return self.batch(step, drawn, pixels)

    def batch(self, step: int, drawn: Drawn, pixels: torch.Tensor) -> CutBatch:
        """The batch of a step whose pixels are filled."""
        learned: dict[str, torch.Tensor] = {name: read(drawn.positions) for name, read in self.learned.items()}
        if self.faithfulness is not None:
            sources = self.pairing.sources[drawn.positions]
            learned["scores"] = torch.from_numpy(of_pairs(self.faithfulness, sources, drawn.partners))
        colours = [
            changes(uniform, augment.blur_kernel, augment.blur == "old_kornia") if augment.colour else None
            for uniform, (_, augment) in zip(drawn.uniform, self.views, strict=True)
        ]
        return CutBatch(pixels, colours, step, learned)
