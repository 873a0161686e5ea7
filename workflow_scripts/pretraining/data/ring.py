"""Batches that loader processes fill: a ring of slots in shared memory, which the training empties in order."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import TypeVar

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.threads import mapped
from workflow_scripts.pretraining.data import process
from workflow_scripts.pretraining.data.chunks import MOST, Chunk, chunks
from workflow_scripts.pretraining.data.loader import Batches, CutBatch, Drawn
from workflow_scripts.pretraining.data.process import Slots, share
from workflow_scripts.pretraining.training.interrupt import SIGNALS

SLOTS = 4
T = TypeVar("T")


def load(
    batches: Batches, prepare: Callable[[CutBatch], T], steps: range, processes: int, workers: int
) -> Generator[T, None, None]:
    """``prepare(batch)`` for the batch of each of ``steps``, in order.

    Args:
        batches: make the batches.
        prepare: called in threads; must not keep the pixels, whose memory is used again.
        steps: numbers of steps.
        processes: loader processes; 0: batches are made by the threads that prepare them.
        workers: such threads.

    Raises:
        PipelineError: an image is damaged, or a loader process was killed.
        OSError: an image can't be read.
    """
    if not processes:
        with closing(mapped(lambda step: prepare(batches.cut(step)), steps, workers, workers + 1)) as made:
            yield from made
        return

    def make(step: int) -> T:
        with ring.cut(step) as batch:
            return prepare(batch)

    # The ring is closed first, so that no thread waits for it any longer.
    with closing(Ring(batches, steps, processes)) as ring:
        threads = min(workers, SLOTS - 1)
        made = mapped(make, steps, threads, threads + 1)
        try:
            for batch in made:
                ring.check()
                yield batch
        finally:
            ring.close()
            made.close()


def loader_processes(given: int | None, workers: int, kept: bool) -> int:
    """Loader processes of a training process with ``workers`` cores for loading.

    Args:
        given: the setting ``loaders``.
        kept: whether decoded images stay in memory.
    """
    if given is not None:
        return given
    return 0 if kept or workers == 1 else workers


@dataclass(frozen=True)
class Worker:
    """A loader process and the connection to it."""

    process: ForkServerProcess
    connection: Connection


def _start(loader: process.Loader, number: int) -> list[Worker]:
    """Start loader processes. Signals that stop a training are blocked in them: it ends them once it has stopped."""
    context = get_context("forkserver")
    # Imported once, by the process that the loaders are forked from.
    context.set_forkserver_preload([process.__name__, "workflow_scripts.pretraining.settings"])
    resource_tracker.ensure_running()  # or its start, which comes first, would unblock them
    workers, before = [], signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for _ in range(number):
            ours, theirs = context.Pipe()
            with theirs:
                worker = Worker(context.Process(target=process.serve, args=(theirs, loader)), ours)
                worker.process.start()
            workers.append(worker)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return workers


class Ring:
    """Batches of some steps, filled by loader processes up to :data:`SLOTS` steps ahead.

    Which process fills which chunk changes no byte: a chunk's views depend on seed and step, and have their own places.

    Args:
        batches: make the batches; what they show is drawn here, and only images are left to the processes.
        steps: their numbers; :meth:`cut` must be called once for each, by threads that do not wait for one another.
        processes: number of loader processes.
    """

    def __init__(self, batches: Batches, steps: range, processes: int) -> None:
        self._batches, self._steps = batches, iter(steps)
        self._slots = Slots(SLOTS, batches.shape)
        self._free = list(range(SLOTS))
        self._left: dict[int, int] = {}  # chunks that are not filled yet, by step
        self._sent: dict[int, tuple[int, Drawn]] = {}
        self._orders = 0
        self._failure: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        augmentations = [one for _, one in batches.views]
        images, slots = share(batches.images), self._slots.handle
        loader = process.Loader(images, slots, SLOTS, batches.shape, augmentations, batches.readers, batches.keep)
        self._workers = _start(loader, processes)
        self._watcher = threading.Thread(target=self._watch, name="loaders", daemon=True)
        self._watcher.start()
        # The processes have descriptors of their own; the slots stay mapped here.
        os.close(images.descriptor)
        os.close(slots.descriptor)
        try:
            with self._changed:
                self._send()
        except BaseException:  # nobody else could end the processes, for which this one would wait as it ends
            self.close()
            raise

    def _send(self) -> None:
        """Order the batches of the next steps, as many as slots are free."""
        while self._free and not self._closed and (step := next(self._steps, None)) is not None:
            slot, drawn = self._free.pop(), self._batches.drawn(step)
            self._slots.uniform[slot] = drawn.uniform
            parts = list(self._divided(drawn.rows))
            self._sent[step], self._left[step] = (slot, drawn), len(parts)
            for worker, chunk in parts:
                with suppress(OSError):  # it has died, of which the watcher tells
                    worker.connection.send(process.Order(slot, step, chunk))

    def _divided(self, shown: np.ndarray) -> Iterator[tuple[Worker, Chunk]]:
        """The chunks of a step (see :func:`chunks`), each with the process that fills it."""
        # Smaller chunks where all processes would not get one.
        most = max(1, min(MOST, -(-shown.size // len(self._workers))))
        for chunk in chunks(shown, most):
            yield self._workers[self._orders % len(self._workers)], chunk
            self._orders += 1

    @contextmanager
    def cut(self, step: int) -> Iterator[CutBatch]:
        """This process's pairs of a step, whose pixels last until the block ends.

        Raises:
            PipelineError, OSError: see :meth:`check`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or self._closed or self._left.get(step) == 0)
            self.check()
            del self._left[step]
            slot, drawn = self._sent.pop(step)
        try:
            yield self._batches.batch(step, drawn, self._slots.pixels[slot])
        finally:
            with self._changed:
                self._free.append(slot)
                self._send()

    def check(self) -> None:
        """Raise the error that a loader process has sent, or one that names how it died."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise RuntimeError("the ring is closed")

    def _watch(self) -> None:
        """Receive the answers of all processes until one fails or the ring is closed."""
        by_connection = {worker.connection: worker for worker in self._workers}
        by_sentinel = {worker.process.sentinel: worker for worker in self._workers}
        while not self._closed and self._failure is None:
            for ready in wait([*by_connection, *by_sentinel]):
                worker = by_sentinel[ready] if isinstance(ready, int) else by_connection[ready]  # type: ignore[index]
                self._receive(worker, ended=isinstance(ready, int))

    def _receive(self, worker: Worker, ended: bool) -> None:
        try:
            while worker.connection.poll():
                self._answer(worker.connection.recv())
        except (EOFError, OSError):
            ended = True
        if ended and not self._closed:
            worker.process.join()
            status = worker.process.exitcode or 0
            value = f"by signal {-status}" if status < 0 else f"({status})"
            advice = "see the traceback above; if there is none, the job ran out of memory: raise its mem_mb"
            self._answer(PipelineError("a loader process died", "pretrain", value, advice))

    def _answer(self, answer: int | Exception) -> None:
        with self._changed:
            if isinstance(answer, int):
                self._left[answer] -= 1
            elif self._failure is None:
                self._failure = answer
            self._changed.notify_all()

    def close(self) -> None:
        """End the processes, and every wait for them."""
        self._closed = True
        for worker in self._workers:  # before the lock: who has it may be sending to one that no longer receives
            worker.process.kill()
        with self._changed:
            self._changed.notify_all()
        for worker in self._workers:
            worker.process.join()
        self._watcher.join()
        for worker in self._workers:
            worker.connection.close()
