"""A loader process, which fills the chunks that it is told to fill until the training process ends, and the memory
that both share: batches that are being filled, and arrays that are too large to be copied.

The memory is anonymous: nothing is left behind by a kill, and no folder's size limits it.
"""

import mmap
import os
import pickle
import sys
import traceback
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from typing import Any, NamedTuple

import numpy as np
import torch

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.chunks import Chunk, Encoded, Filler
from workflow_scripts.pretraining.data.crops import DRAWS

ALIGNED = 64  # bytes


def _reserved(size: int) -> int:
    """Descriptor of ``size`` bytes of anonymous memory."""
    descriptor = os.memfd_create("batches")
    os.truncate(descriptor, max(1, size))
    return descriptor


@dataclass
class Handle:
    """Shared memory that can be passed to a process as it starts.

    Attributes:
        descriptor: of the memory; in pickled form, a duplicate for the process.
        about: what the receiver needs besides.
    """

    descriptor: int
    about: Any

    def __getstate__(self) -> tuple[Any, Any]:
        return DupFd(self.descriptor), self.about

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        self.descriptor, self.about = state[0].detach(), state[1]


def share(thing: object) -> Handle:
    """``thing`` with its arrays in shared memory, for :func:`shared`."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    sizes = [buffer.raw().nbytes for buffer in buffers]
    starts = [0, *np.cumsum([-(-size // ALIGNED) * ALIGNED for size in sizes]).tolist()]
    descriptor = _reserved(starts[-1])
    with mmap.mmap(descriptor, 0) as memory:
        for buffer, start, size in zip(buffers, starts, sizes, strict=False):
            memory[start : start + size] = buffer.raw()
    return Handle(descriptor, (head, starts, sizes))


def shared(handle: Handle) -> Any:
    """What :func:`share` was given; its arrays are read-only, and in memory once for all processes."""
    head, starts, sizes = handle.about
    memory = memoryview(mmap.mmap(handle.descriptor, 0, access=mmap.ACCESS_READ))
    os.close(handle.descriptor)
    buffers = [memory[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    return pickle.loads(head, buffers=buffers)  # noqa: S301 - written by the process that started this one


class Slots:
    """Places for the batches of several steps.

    Args:
        number: of slots.
        shape: (v, b, s, s, 3), of the pixels of a batch.
        handle: of slots that another process made; None: new ones.

    Attributes:
        pixels: (number, v, b, s, s, 3) uint8, one block that begins at a page, so that a GPU's driver can register it.
        uniform: (number, v, b, DRAWS) float64, the randomness of each batch.
    """

    def __init__(self, number: int, shape: tuple[int, ...], handle: Handle | None = None) -> None:
        images = number * int(np.prod(shape))
        padded = -(-images // ALIGNED) * ALIGNED
        drawn = number, shape[0], shape[1], DRAWS
        size = padded + 8 * int(np.prod(drawn))
        self.handle = handle or Handle(_reserved(size), None)
        memory = mmap.mmap(self.handle.descriptor, size)
        self.pixels = torch.frombuffer(memory, dtype=torch.uint8, count=images).view(number, *shape)
        self.uniform = np.frombuffer(memory, np.float64, offset=padded).reshape(drawn)


class Order(NamedTuple):
    """A chunk to fill: the number of its slot, and its step, which is the answer once it is filled."""

    slot: int
    step: int
    chunk: Chunk


@dataclass(frozen=True)
class Loader:
    """What a loader process works with.

    Attributes:
        images: shared :class:`~workflow_scripts.core.shards.TarImages`.
        slots: of the batches.
        number: of slots.
        shape: (v, b, s, s, 3), of a batch.
        augmentations: of the views.
        readers: threads that read.
        keep: whether decoded images stay in memory.
    """

    images: Handle
    slots: Handle
    number: int
    shape: tuple[int, int, int, int, int]
    augmentations: list[Augmentation]
    readers: int
    keep: bool

    def run(self, connection: Connection) -> None:
        """Receive orders, start to read what they need, and fill them one after the other."""
        slots = Slots(self.number, self.shape, self.slots)
        filler = Filler(shared(self.images), self.augmentations, self.shape[2], self.readers, self.keep)
        waiting: deque[tuple[Order, list[Future[Encoded]]]] = deque()
        while True:
            while not waiting or connection.poll():
                order: Order = connection.recv()
                waiting.append((order, filler.request(order.chunk)))
            order, requested = waiting.popleft()
            filler.fill(order.chunk, requested, slots.pixels[order.slot], slots.uniform[order.slot])
            connection.send(order.step)


def serve(connection: Connection, loader: Loader) -> None:
    """Run a loader process; an error is sent to the training process."""
    torch.set_num_threads(1)
    with suppress(EOFError, ConnectionError):  # the training process has ended
        try:
            loader.run(connection)
        except (EOFError, ConnectionError):
            raise
        except (PipelineError, OSError) as error:
            connection.send(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the training must end and say so
            traceback.print_exc()
            connection.send(RuntimeError(f"{type(error).__name__} in a loader process: {error}"))
    sys.stderr.flush()
    os._exit(0)  # readers may still wait for a file server
