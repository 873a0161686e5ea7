"""An order of training in which images can be read in large blocks, one block after another."""

import numpy as np

from workflow_scripts.pretraining.data.loader import Order
from workflow_scripts.pretraining.data.pair_shards.block_images import MIXED


class BlockOrder(Order):
    """Blocks in a new order per epoch, whose rows come at random places among the following blocks.

    A row of the i-th block (i = 0, 1, ...) gets the place i + ``mixed`` * u, with u uniform in [0, 1), and rows are
    taken in the order of their places. So each row comes once per epoch, and the rows of ``mixed`` + 1 blocks that
    follow each other are all that is needed at a time. A batch lists the rows of a block together, and a block's place
    in a batch does not change, so that the part of one of several processes comes from few blocks.

    Args:
        blocks: (n,) int64, the block of each row.
        batch: rows per batch.
        seed: seed of the run.
        mixed: number of blocks that a batch is drawn from, but for the first and last batches of an epoch.

    Raises:
        PipelineError: see :class:`Order`.
    """

    def __init__(self, blocks: np.ndarray, batch: int, seed: int, mixed: int = MIXED) -> None:
        super().__init__(len(blocks), batch, seed)
        self._mixed = mixed
        numbers, self._blocks = np.unique(blocks, return_inverse=True)
        self._number = len(numbers)

    def _drawn(self, generator: np.random.Generator) -> np.ndarray:
        turn = generator.permutation(self._number)[self._blocks]
        order = np.argsort(turn + self._mixed * generator.random(self.rows), kind="stable")
        batches = order[: self.rows // self.batch * self.batch].reshape(-1, self.batch)
        lanes = np.argsort(turn[batches] % self._mixed, axis=1, kind="stable")
        return np.take_along_axis(batches, lanes, 1).ravel()
