"""Images that are read in blocks: one read gives all images of a block."""

import math
import threading
from collections import OrderedDict
from concurrent.futures import Future

import numpy as np

from workflow_scripts.core.shards import Read, TarImages

MIXED = 64
"""Blocks that a batch is drawn from, but for the first and last batches of an epoch."""


def in_blocks(images: TarImages, blocks: np.ndarray | None, processes: int) -> TarImages:
    """The images, to be read in blocks if they have some.

    Args:
        images: of a run.
        blocks: see :class:`BlockImages`.
        processes: those that divide the blocks among them, in loading and in training.
    """
    # Chance gives a process more or fewer of the blocks that are needed at a time.
    return images if blocks is None else BlockImages(images, blocks, 4 + math.ceil(1.5 * MIXED / processes))


class BlockImages(TarImages):
    """The same images as those of ``images``, which follow each other in their files.

    Args:
        images: in pair shards.
        blocks: (n,) int64 block of each image, from 0, ascending; those of a block are in one file.
        kept: blocks in memory, those that were used last. Fewer than are needed at a time are slow, not wrong.

    Threads that need the same block wait for one read of it. Each image is verified as those of :class:`TarImages` are.
    """

    def __init__(self, images: TarImages, blocks: np.ndarray, kept: int) -> None:
        self.blocks, self.kept = blocks, kept
        super().__init__(images.tars, images.tar, images.offset, images.size, images.sha256, images.waits)

    def _start(self) -> None:
        super()._start()
        self._first = np.flatnonzero(np.diff(self.blocks, prepend=-1))
        self._last = np.append(self._first[1:], len(self.blocks)) - 1
        self._held: OrderedDict[int, Future[Read]] = OrderedDict()
        self._holding = threading.Lock()

    def _encoded(self, row: int) -> Read:
        number = int(self.blocks[row])
        data, stamp = self._block(number)
        start = int(self.offset[row] - self.offset[self._first[number]])
        return data[start : start + int(self.size[row])], stamp

    def _block(self, number: int) -> Read:
        with self._holding:
            found = self._held.get(number)
            if found is not None:
                self._held.move_to_end(number)
            else:
                mine = self._held[number] = Future()
                if len(self._held) > self.kept:
                    self._held.popitem(last=False)
        if found is not None:
            return found.result()
        try:
            read = self._whole(number)
        except BaseException as error:
            with self._holding:  # so that the next one reads it again
                if self._held.get(number) is mine:
                    del self._held[number]
            mine.set_exception(error)
            raise
        mine.set_result(read)
        return read

    def _whole(self, number: int) -> Read:
        first, last = self._first[number], self._last[number]
        which, start = int(self.tar[first]), int(self.offset[first])
        return self._read(which, int(self.offset[last] + self.size[last]) - start, start)
