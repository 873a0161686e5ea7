"""A loader process: fills the chunks that it is told to fill, until the training process ends."""

import os
import sys
import traceback
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.augmentations import Augmentation
from workflow_scripts.pretraining.data.ring.chunks import Chunk, Encoded, Filler
from workflow_scripts.pretraining.data.ring.memory import Handle, Slots, shared


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
