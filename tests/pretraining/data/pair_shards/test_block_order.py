import numpy as np
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.pair_shards.block_order import BlockOrder

ROWS, BATCH, BLOCKS, MIXED = 960, 32, 96, 6


def blocks() -> np.ndarray:
    return np.arange(ROWS) * BLOCKS // ROWS


def order_of(seed: int) -> BlockOrder:
    return BlockOrder(blocks(), BATCH, seed, MIXED)


def epoch(order: BlockOrder, number: int) -> np.ndarray:
    steps = ROWS // BATCH
    return np.stack([order.positions(number * steps + step) for step in range(1, steps + 1)])


def test_each_row_comes_once_per_epoch_but_for_the_rest() -> None:
    order = order_of(0)
    one, two = (np.sort(epoch(order, number), axis=None) for number in (0, 1))
    np.testing.assert_array_equal(one, np.arange(ROWS))
    np.testing.assert_array_equal(two, np.arange(ROWS))
    rest = BlockOrder(blocks()[:-1], BATCH, 0, MIXED)
    shown = np.concatenate([rest.positions(step) for step in range(1, 30)])
    assert len(np.unique(shown)) == len(shown) == 29 * BATCH and shown.max() <= ROWS - 2


def test_a_step_depends_on_its_number_and_the_seed_alone() -> None:
    walked = order_of(3)
    steps = [walked.positions(step) for step in range(1, 95)]
    for step in (94, 1, 31, 30):
        np.testing.assert_array_equal(order_of(3).positions(step), steps[step - 1])
    assert not np.array_equal(order_of(4).positions(1), steps[0])
    assert not np.array_equal(steps[0], steps[30])  # the first batch of the second epoch


def test_few_blocks_are_needed_at_a_time_and_each_in_one_stretch() -> None:
    """A row comes at most MIXED blocks after the first row of its block."""
    shown = blocks()[epoch(order_of(0), 0)]
    first = np.array([np.flatnonzero((shown == block).any(axis=1))[0] for block in range(BLOCKS)])
    last = np.array([np.flatnonzero((shown == block).any(axis=1))[-1] for block in range(BLOCKS)])
    alive = [int(((first <= step) & (last >= step)).sum()) for step in range(len(shown))]
    width = BATCH * BLOCKS / ROWS  # blocks that a step uses up
    assert max(alive) <= MIXED + 2 * width + 1
    begun = np.argsort(first, kind="stable")
    assert not np.array_equal(begun, np.sort(begun)), "blocks come in a new order"


def test_a_batch_mixes_blocks_evenly() -> None:
    shown = blocks()[epoch(order_of(0), 0)]
    most = [np.unique(batch, return_counts=True)[1].max() for batch in shown]
    distinct = [len(np.unique(batch)) for batch in shown]
    assert np.mean(distinct[3:-3]) >= MIXED and np.mean(most) <= BATCH / 3
    # Rows of a block that came in one batch are in different ones in the next epoch.
    order = order_of(0)
    together = [np.full(ROWS, -1) for _ in range(2)]
    for number, found in enumerate(together):
        for step, batch in enumerate(epoch(order, number)):
            found[batch] = step
    inside = blocks()[:, None] == blocks()[None]
    same = [(found[:, None] == found[None]) & inside & ~np.eye(ROWS, dtype=bool) for found in together]
    assert (same[0] & same[1]).sum() / same[0].sum() < 0.5


def test_a_part_of_a_batch_comes_from_its_part_of_the_blocks() -> None:
    """So that several processes read few blocks twice."""
    shown = blocks()[epoch(order_of(0), 0)]
    halves = [[set(batch[:16].tolist()), set(batch[16:].tolist())] for batch in shown]
    assert all(len(one & two) <= 1 for one, two in halves)
    read = [set().union(*(half[part] for half in halves)) for part in (0, 1)]
    assert sum(map(len, read)) <= 1.6 * BLOCKS


def test_fewer_rows_than_a_batch_is_an_error() -> None:
    with pytest.raises(PipelineError, match="batch_size is 8, but 7 images"):
        BlockOrder(np.zeros(7, np.int64), 8, 0)
