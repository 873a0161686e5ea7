from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.pairing import from_captions, from_labels, from_table, rows_of, with_itself

KEYS = pa.chunked_array([["a", "b"], ["c", "d", "e"]])
WHERE = Path("pair_table/original.parquet")


def table(rows: list[tuple[str, str, int]]) -> pa.Table:
    names = ("source", "target", "rank")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def test_partners_are_those_of_the_table_whatever_its_order() -> None:
    rows = [("d", "a", 1), ("b", "e", 2), ("b", "c", 1), ("a", "d", 1)]
    made = from_table(KEYS, table(rows), WHERE)
    assert made.sources.tolist() == [0, 1, 3]
    assert [made.targets[a:b].tolist() for a, b in zip(made.starts, made.starts[1:], strict=False)] == [
        [3],
        [2, 4],
        [0],
    ]
    assert len(made) == 3


def test_one_of_several_partners_is_drawn_by_seed_step_and_row() -> None:
    made = from_table(KEYS, table([("b", "c", 1), ("b", "e", 2), ("b", "a", 3), ("d", "a", 1)]), WHERE)
    drawn = np.array([made.partners(np.array([0, 1]), 0, step) for step in range(600)])
    assert set(drawn[:, 1]) == {0}
    counts = np.unique(drawn[:, 0], return_counts=True)
    assert counts[0].tolist() == [0, 2, 4]
    assert counts[1].min() > 150
    np.testing.assert_array_equal(made.partners(np.array([1, 0]), 0, 5), drawn[5][::-1])


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(PipelineError, match=r"unknown image key in .*original\.parquet: 'zz'"):
        from_table(KEYS, table([("a", "zz", 1)]), WHERE)
    with pytest.raises(PipelineError, match="'q'"):
        rows_of(KEYS, pa.chunked_array([["a", "q"]]), WHERE)


def test_self_pairs() -> None:
    made = with_itself(4)
    assert made.partners(np.array([2, 0]), 0, 1).tolist() == [2, 0]


def test_captions_follow_the_index_and_blank_ones_are_left_out() -> None:
    captions = pa.table({"key": ["d", "a", "e", "b"], "caption": ["dee", "ay", "  ", None]})
    pairing, texts = from_captions(KEYS, captions, WHERE)
    assert pairing.sources.tolist() == [0, 3]
    assert texts == ["ay", "dee"]
    with pytest.raises(PipelineError, match="'x'"):
        from_captions(KEYS, pa.table({"key": ["x"], "caption": ["?"]}), WHERE)


def test_labels_follow_the_index_and_images_without_one_are_left_out() -> None:
    named = pa.chunked_array([["e", "gone", "a"], ["c", "d"]])
    pairing, labels = from_labels(KEYS, named, pa.chunked_array([["kite", "ball", "anchor", None, "kite"]]))
    assert pairing.sources.tolist() == [0, 3, 4] and labels.tolist() == [0, 1, 1]
    assert pairing.partners(np.array([2]), 0, 1).tolist() == [4]
    assert labels.dtype == np.int64
