import numpy as np
import pyarrow as pa

from workflow_scripts.pretraining.data.pair_shards.shards import hashed_order, slots_of
from workflow_scripts.pretraining.data.pairing import Pairing


def test_order_of_a_hash() -> None:
    keys = pa.chunked_array([[f"k{i}" for i in range(1000)]])
    order = hashed_order(keys, 0)
    assert sorted(order.tolist()) == list(range(1000))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1
    assert not np.array_equal(order, hashed_order(keys, 1))
    turned = hashed_order(pa.chunked_array([[f"k{i}" for i in range(999, -1, -1)]]), 0)
    np.testing.assert_array_equal(999 - turned, order)


def test_slots_of_some_pairs() -> None:
    pairing = Pairing(np.array([0, 2, 5, 6]), np.array([0, 2, 3, 4, 7]), np.array([4, 1, 2, 6, 0, 6, 5]))
    slots = slots_of(pairing, np.array([3, 1, 0, 2]), range(1, 4))
    assert slots.rows.tolist() == [2, 0, 4, 1, 5, 6]
    assert slots.pair.tolist() == [1, 2, 2, 2, 3, 3] and slots.rank.tolist() == [0, 0, 1, 2, 0, 1]
    assert slots_of(pairing, np.array([3, 1, 0, 2]), range(1)).rows.tolist() == [6, 0, 6, 5]
    assert [len(part) for part in slots_of(pairing, np.array([3, 1, 0, 2]), range(0))] == [0, 0, 0]
