from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.pairing import (
    Pairing,
    among,
    completed,
    from_captions,
    from_labels,
    from_table,
    rows_of,
    with_itself,
)

KEYS = pa.chunked_array([["a", "b"], ["c", "d", "e"]])
TABLE = pa.schema([("source", pa.string()), ("target", pa.string()), ("rank", pa.int16())])
WHERE = Path("pair_table/original.parquet")


def table(rows: list[tuple[str, str, int]]) -> pa.Table:
    names = ("source", "target", "rank")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def test_partners_do_not_depend_on_the_order_of_the_pair_table() -> None:
    rows = [("d", "a", 1), ("b", "e", 2), ("b", "c", 1), ("a", "d", 1)]
    made = from_table(KEYS, table(rows), WHERE)
    assert made.sources.tolist() == [0, 1, 3]
    assert [made.targets[a:b].tolist() for a, b in zip(made.starts, made.starts[1:], strict=False)] == [
        [3],
        [2, 4],
        [0],
    ]
    assert len(made) == 3


def test_a_partner_is_drawn_by_a_uniform_number() -> None:
    made = from_table(KEYS, table([("b", "c", 1), ("b", "e", 2), ("b", "a", 3), ("d", "a", 1)]), WHERE)
    uniform = np.array([0.0, 0.33, 0.34, 0.66, 0.67, 1 - 2**-53])
    assert made.partners(np.zeros(6, int), uniform).tolist() == [[2, 2, 4, 4, 0, 0]]
    assert made.partners(np.ones(6, int), uniform).tolist() == [[0] * 6]


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(PipelineError, match=r"unknown image key in .*original\.parquet: 'zz'"):
        from_table(KEYS, table([("a", "zz", 1)]), WHERE)
    with pytest.raises(PipelineError, match="'q'"):
        rows_of(KEYS, pa.chunked_array([["a", "q"]]), WHERE)


def test_several_partners_are_distinct_where_enough_exist() -> None:
    made = Pairing(np.array([0, 1, 2]), np.array([0, 3, 4, 6]), np.array([5, 6, 7, 8, 9, 4]))
    positions = np.arange(3)
    for uniform in np.random.default_rng(0).random((20, 3)):
        found = made.partners(positions, uniform, 3)
        np.testing.assert_array_equal(found[0], made.partners(positions, uniform)[0])
        assert set(found[:, 0]) == {5, 6, 7}  # all three
        assert found[:, 1].tolist() == [8, 8, 8]  # its only one
        assert set(found[:2, 2]) == {9, 4} and found[2, 2] == found[0, 2]
    assert made.partners(positions, np.zeros(3), 0).shape == (0, 3)


def partners(pairing: Pairing) -> dict[int, list[int]]:
    bounds = zip(pairing.starts, pairing.starts[1:], strict=False)
    return {
        source: pairing.targets[a:b].tolist() for source, (a, b) in zip(pairing.sources.tolist(), bounds, strict=True)
    }


def test_images_without_a_partner_are_paired_with_themselves() -> None:
    made = from_table(KEYS, table([("d", "a", 1), ("b", "e", 2), ("b", "c", 1)]), WHERE)
    assert (made.self_pairs, made.elsewhere) == (0, 3)
    whole = completed(made, 5)
    assert partners(whole) == {0: [0], 1: [2, 4], 2: [2], 3: [0], 4: [4]}
    assert (len(whole), whole.self_pairs, whole.elsewhere) == (5, 3, 0)
    nothing = completed(from_table(KEYS, table([]).cast(TABLE), WHERE), 5)
    assert partners(nothing) == partners(with_itself(np.arange(5))) and nothing.self_pairs == 5


def test_pairs_among_common_images_keep_their_partners() -> None:
    made = from_table(KEYS, table([("d", "a", 1), ("b", "e", 2), ("b", "c", 1), ("e", "b", 1)]), WHERE)
    found, kept = among(made, np.array([0, 1, 4]))
    assert partners(found) == {1: [2, 4], 4: [1]} and kept.tolist() == [True, False, True]
    assert (found.self_pairs, found.elsewhere) == (0, 1), "c is not common"
    every, kept = among(made, np.arange(5))
    assert partners(every) == partners(made) and kept.all()
    assert partners(among(completed(made, 5), np.array([0, 1]))[0]) == {0: [0], 1: [2, 4]}


@given(st.data())
def test_completing_and_confining_keep_every_other_pair(data: st.DataObject) -> None:
    images = data.draw(st.integers(1, 12))
    rows = st.integers(0, images - 1)
    drawn = data.draw(st.dictionaries(rows, st.lists(rows, min_size=1, max_size=3)))
    common = data.draw(st.sets(rows))
    expected = {row: drawn.get(row, [row]) for row in range(images)}
    counts = [len(drawn[row]) for row in sorted(drawn)]
    given_pairs = Pairing(
        np.array(sorted(drawn), np.int64),
        np.append(0, np.cumsum(counts)).astype(np.int64),
        np.array([one for row in sorted(drawn) for one in drawn[row]], np.int64),
    )
    whole = completed(given_pairs, images)
    assert partners(whole) == expected
    found, _ = among(whole, np.array(sorted(common), np.int64))
    assert partners(found) == {row: expected[row] for row in sorted(common)}


def test_captions_follow_the_index_and_blank_captions_are_left_out() -> None:
    captions = pa.table({"key": ["d", "a", "e", "b"], "caption": ["dee", "ay", "  ", None]})
    pairing, numbers = from_captions(KEYS, captions, WHERE)
    assert pairing.sources.tolist() == [0, 3]
    assert numbers.tolist() == [1, 0]
    same = pa.table({"key": ["d", "a", "b"], "caption": ["x", "y", "x"]})
    assert from_captions(KEYS, same, WHERE)[1].tolist() == [1, 0, 0]
    with pytest.raises(PipelineError, match="'x'"):
        from_captions(KEYS, pa.table({"key": ["x"], "caption": ["?"]}), WHERE)


def test_labels_follow_the_index_and_unlabelled_images_are_left_out() -> None:
    named = pa.chunked_array([["e", "gone", "a"], ["c", "d"]])
    pairing, labels = from_labels(KEYS, named, pa.chunked_array([["kite", "ball", "anchor", None, "kite"]]))
    assert pairing.sources.tolist() == [0, 3, 4] and labels.tolist() == [0, 1, 1]
    assert pairing.partners(np.array([2]), np.array([0.5])).tolist() == [[4]]
    assert labels.dtype == np.int64
