"""No pair is missed, whatever the data, the precision and the sizes of blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pairs.test_neighbours import as_lists, brute_force, ids_of
from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import Rule, nearest
from workflow_scripts.pairs.search import close_pairs as module
from workflow_scripts.pairs.search.close_pairs import close_pairs


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of which even small data has many, and one that is not full."""
    monkeypatch.setitem(module.SIDE, "cpu", 64)
    monkeypatch.setattr(module, "PENDING", 100)
    monkeypatch.setattr(neighbours, "MANY", 0)


def _data(name: str, rows: int = 300, width: int = 24) -> np.ndarray:
    """(rows, width) float32 of a kind that makes a search difficult."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows, width))
    if name == "cone":  # cosines from 0.9999 on
        vectors = np.ones((rows, width)) + 0.01 * vectors
    if name == "clusters":
        vectors = vectors[rng.integers(0, 12, rows)] + 0.05 * vectors
    if name == "duplicates":
        vectors = vectors[rng.integers(0, rows // 3, rows)]
    if name == "opposite":  # most scores are negative
        vectors = np.abs(vectors) * np.where(np.arange(rows) % 2, 1, -1)[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if name == "norms":
        vectors *= rng.choice([0.0, 1e-3, 1.0, 30.0], (rows, 1))
    return vectors.astype(np.float32)


KINDS = ["plain", "cone", "clusters", "duplicates", "opposite", "norms"]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("name", KINDS)
def test_the_best_are_among_the_pairs(name: str, k: int, half: bool) -> None:
    vectors = _data(name)
    wide = vectors.astype(np.float64)
    products = wide @ wide.T
    np.fill_diagonal(products, -np.inf)
    found = close_pairs(vectors, k, "cpu", half=half)
    assert (np.diff(found.row) >= 0).all()
    assert not np.isin(found.row, found.left).any()
    pairs = set(zip(found.row.tolist(), found.other.tolist(), strict=True))
    assert len(pairs) == len(found.row)
    assert all(row != other for row, other in pairs)
    for row in np.setdiff1d(np.arange(len(vectors)), found.left):
        least = np.sort(products[row])[-k]
        assert {(row, other) for other in np.flatnonzero(products[row] >= least).tolist()} <= pairs


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("highest", [np.inf, 0.9, 0.2, -0.5])
@pytest.mark.parametrize("name", KINDS)
def test_neighbours_equal_brute_force(name: str, highest: float, half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_half_is_faster", lambda *_: half)
    vectors, ids = _data(name, 150), ids_of(150)
    for k in (1, 4):
        assert as_lists(nearest(vectors, ids, Rule(k, highest))) == brute_force(vectors, Rule(k, highest), ids)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_small_integers_that_tie(data: st.DataObject) -> None:
    count, width = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 4))
    vectors = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-2, 3, (count, width)).astype(np.float32)
    rule = Rule(data.draw(st.integers(1, 6)), data.draw(st.sampled_from([np.inf, 3.0, -1.0])))
    assert as_lists(nearest(vectors, ids_of(count), rule)) == brute_force(vectors, rule, ids_of(count))


def test_rows_with_too_many_pairs_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    vectors = _data("plain")
    vectors[50:70] = np.eye(24, dtype=np.float32)[0] + 1e-6 * vectors[50:70]  # no float32 product tells them apart
    found = close_pairs(vectors, 2, "cpu", half=False)
    assert set(range(50, 70)) <= set(found.left.tolist())  # and rows whose nearest are among them
    assert set(found.row.tolist()) == set(range(300)) - set(found.left.tolist()) != set()
    ids = ids_of(300)
    assert as_lists(nearest(vectors, ids, Rule(2))) == brute_force(vectors, Rule(2), ids)


def test_few_pairs_remain() -> None:
    found = close_pairs(_data("plain", 600), 1, "cpu", half=False)
    assert 600 <= len(found.row) <= 610
    assert len(close_pairs(_data("plain", 600), 1, "cpu", half=True).row) <= 1200


@pytest.mark.parametrize("name", ["plain", "cone", "norms"])
def test_errors_of_products_are_within_the_bound(name: str) -> None:
    vectors = _data(name, 200, 96)
    exact = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    for half in (False, True):
        search = module._Search(vectors, (1, np.inf), torch.device("cpu"), half)
        rough = search._products(slice(0, 200), slice(0, 200))[:200, :200].double().numpy()
        error = np.abs(rough - exact).max(axis=1)
        assert (error <= search._twice.double().numpy() / 2).all()
        if half and name == "plain":  # not so loose that it could hide a mistake
            assert error.max() > search._twice.max().item() / 20


def test_number_of_threads_and_sizes_of_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ids = _data("clusters"), ids_of(300)
    whole, threads = as_lists(nearest(vectors, ids, Rule(3))), torch.get_num_threads()
    try:
        for side, number in ((32, 1), (96, 2), (512, 3)):
            monkeypatch.setitem(module.SIDE, "cpu", side)
            torch.set_num_threads(number)
            assert as_lists(nearest(vectors, ids, Rule(3))) == whole
    finally:
        torch.set_num_threads(threads)


def test_the_faster_product_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(ticks))
    assert module._half_is_faster(_data("plain"), "cpu")
    ticks = iter([0.0, 1.0] * 6)
    assert not module._half_is_faster(_data("plain"), "cpu")


def test_pairs_are_not_sorted_out_again_at_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, real = [], module._Search._compact
    monkeypatch.setattr(module._Search, "_compact", lambda search: (calls.append(1), real(search)))
    close_pairs(_data("plain", 1000), 8, "cpu", half=False)
    assert 2 < len(calls) < 20  # of 120 products of blocks, with pairs from nearly all
