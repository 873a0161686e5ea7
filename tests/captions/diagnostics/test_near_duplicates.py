"""Near duplicates against comparing all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.diagnostics.near_duplicates import near_duplicates, resembling


def found(sets: list[set[int]]) -> list[bool]:
    words = np.array([word for one in sets for word in sorted(one)], dtype=np.int64)
    return near_duplicates(words, np.array([len(one) for one in sets], dtype=np.int64)).tolist()


def compared(sets: list[set[int]]) -> list[bool]:
    return [
        any(len(a & b) >= 0.8 * len(a | b) for j, b in enumerate(sets) if i != j) if a else False
        for i, a in enumerate(sets)
    ]


@given(st.lists(st.sets(st.integers(0, 9), max_size=9), max_size=8))
def test_equal_to_comparing_all_pairs(sets: list[set[int]]) -> None:
    assert found(sets) == compared(sets)


def test_near_duplicates_equal_comparing_all_pairs() -> None:
    rng = np.random.default_rng(0)
    sets = [set(rng.choice(3000, size, replace=False).tolist()) for size in rng.integers(1, 15, 300)]
    changed = [set(list(one)[1:]) | {at} for at, one in enumerate(sets) if at % 3 == 0]
    assert found(sets + changed) == compared(sets + changed)
    assert 0.2 < np.mean(found(sets + changed)) < 0.6


def test_near_duplicates_differ_in_at_most_one_word_of_five() -> None:
    assert found([{1, 2, 3, 4}, {1, 2, 3, 4, 5}, {6, 7, 8}, {6, 7, 8, 9}]) == [True, True, False, False]
    assert found([]) == []
    assert found([set(), set()]) == [False, False]


def test_two_captions_resemble_each_other_by_their_words() -> None:
    first = ["A red cat, asleep", "a b c d", "a b c", "", "!", "cat"]
    second = ["asleep: a RED cat", "a b c d e", "a b c d", "", "!", ""]
    assert resembling(first, second).tolist() == [True, True, False, False, False, False]
