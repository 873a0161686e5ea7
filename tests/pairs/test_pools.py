"""Equal rows found whatever their bits hash to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.pairs import pools
from workflow_scripts.pairs.pools import group_equal


def check(vectors: np.ndarray) -> None:
    groups = group_equal(vectors)
    seen: dict[tuple[float, ...], int] = {}
    expected = [seen.setdefault(tuple(row), len(seen)) for row in vectors.tolist()]
    assert groups.group.tolist() == expected
    for group in range(len(seen)):
        members = groups.members[groups.start[group] : groups.start[group + 1]]
        assert members.tolist() == [i for i, own in enumerate(expected) if own == group]
        assert groups.first[group] == members[0]


@given(st.lists(st.lists(st.sampled_from([-1.5, -0.0, 0.0, 2.0]), min_size=3, max_size=3), min_size=1, max_size=30))
def test_equal_rows_are_grouped_as_by_brute_force(rows: list[list[float]]) -> None:
    check(np.array(rows, dtype=np.float32))


def test_rows_with_colliding_hash_keys_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_keys", lambda vectors: np.zeros(len(vectors), np.uint64))
    check(np.random.default_rng(0).integers(0, 3, (20, 2)).astype(np.float32))
    check(np.zeros((0, 2), np.float32))


def test_keys_tell_rows_apart_so_that_none_are_compared_whole() -> None:
    vectors = np.float32(1e-9) * np.random.default_rng(0).integers(0, 3, (500, 8)).astype(np.float32)
    assert len(np.unique(pools._keys(vectors))) == len(np.unique(vectors, axis=0))
