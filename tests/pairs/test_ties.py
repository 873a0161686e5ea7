"""Seeded choices among equals: even, stable when images are added, the same for every block size."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs import ties
from workflow_scripts.pairs.pools import pools_of
from workflow_scripts.pairs.ties import by_identity, chosen, compared, identities, pair_hash, pieces


def keys(count: int) -> pa.ChunkedArray:
    return pa.chunked_array([[f"k{i}" for i in range(count)]])


def test_the_hash_of_a_pair_is_that_of_splitmix() -> None:
    def hashed(source: int, target: int) -> int:
        mixed = (source * 0x9E3779B97F4A7C15 + target) % 2**64
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return mixed ^ mixed >> 31

    source, target = np.random.default_rng(0).integers(2**64, size=(2, 100), dtype=np.uint64)
    assert pair_hash(source, target).tolist() == list(map(hashed, source.tolist(), target.tolist()))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_partners_are_the_members_with_the_smallest_hash(data: st.DataObject) -> None:
    count, k = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 4))
    codes = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=count, max_size=count)))
    ids = identities(keys(count), data.draw(st.integers(0, 5)))
    got = chosen(pools_of(codes), ids, k)
    for row in range(count):
        others = [j for j in range(count) if j != row and codes[j] == codes[row] >= 0]
        others.sort(key=lambda j: int(pair_hash(ids[row : row + 1], ids[j : j + 1])[0]))
        assert got[row].tolist() == (others[:k] + [-1] * k)[:k]


@pytest.mark.parametrize("window", [4, 1000])
def test_every_member_is_as_likely(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(ties, "WINDOW", window)
    uses = np.zeros(20)
    for seed in range(300):
        target = chosen(pools_of(np.zeros(20, np.int64)), identities(keys(20), seed), 1)[:, 0]
        assert (target != np.arange(20)).all()
        uses += np.bincount(target, minlength=20)
    assert uses.sum() == 6000
    assert np.abs(uses - 300).max() < 5 * np.sqrt(300)


def test_more_images_change_few_partners() -> None:
    few, more = (chosen(pools_of(np.zeros(n, np.int64)), identities(keys(n), 0), 1)[:, 0] for n in (50, 51))
    assert (few != more[:50]).sum() == (more[:50] == 50).sum() <= 6


@pytest.mark.parametrize("k", [1, 5])
def test_the_order_of_rows_does_not_matter_in_large_pools(k: int) -> None:
    pools, ids = pools_of(np.zeros(1000, np.int64)), identities(keys(1000), 0)
    reversed_back = 999 - chosen(pools, ids[::-1], k)[::-1]
    assert np.array_equal(chosen(pools, ids, k), reversed_back)


def test_partners_in_a_large_pool_are_spread_over_the_rows() -> None:
    target = chosen(pools_of(np.zeros(1000, np.int64)), identities(keys(1000), 0), 5)
    assert np.ptp(target, axis=1).min() > 64


def test_an_added_image_changes_few_partners_in_large_pools() -> None:
    few, more = (chosen(pools_of(np.zeros(n, np.int64)), identities(keys(n), 0), 1)[:, 0] for n in (1000, 1001))
    assert (few != more[:1000]).mean() < 0.06


def test_a_window_holds_members_of_the_pool_only() -> None:
    codes = np.array([0, 1] * 50)
    ids = identities(keys(100), 0)
    pools = by_identity(pools_of(codes), ids)
    item, row = compared(pools, np.arange(100), codes, ids, 7)
    assert (codes[row] == codes[item]).all()
    assert all(len(set(row[item == i].tolist())) == 7 for i in range(100))
    first = [int(value) * 50 >> 64 for value in pair_hash(ids, np.uint64(0))]  # the hash is a share of the pool
    assert np.array_equal(row[::7], pools.members[pools.start[codes] + first])


def test_seeds_differ_and_block_sizes_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = pools_of(np.arange(200) % 3)
    first, second = (chosen(pools, identities(keys(200), seed), 2) for seed in (0, 1))
    assert (first != second).any()
    monkeypatch.setattr(ties, "ENTRIES", 5)
    monkeypatch.setattr(ties, "SLICE", 7)
    assert np.array_equal(chosen(pools, identities(keys(200), 0), 2), first)


def test_identities_are_fixed_by_key_and_seed() -> None:
    # Another value would change every pair table.
    assert identities(pa.chunked_array([["abc"]]), 0).tolist() == [1005327848175170694]


@given(st.lists(st.integers(0, 50), max_size=30))
def test_pieces_cover_everything_once(costs: list[int]) -> None:
    found = [i for part in pieces(np.array(costs, dtype=np.int64)) for i in range(part.start, part.stop)]
    assert found == list(range(len(costs)))
