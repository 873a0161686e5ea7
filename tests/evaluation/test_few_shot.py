from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.evaluation.sets import downstream
from workflow_scripts.evaluation.few_shot import (
    draw_distinct,
    draw_episodes,
    eligible,
    few_shot,
    nearest_prototypes,
    tables,
    uniforms,
)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 12), st.data())
def test_draws_are_those_of_popping_from_a_list(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    uniform = data.draw(st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=count, max_size=count))
    pool, expected = list(range(size)), []
    for one in uniform:
        expected.append(pool.pop(int(one * len(pool))))
    drawn = draw_distinct(np.array([uniform], dtype=float).reshape(1, count), np.array([size]))
    assert drawn[0].tolist() == expected


def test_every_subset_is_equally_likely() -> None:
    drawn = draw_distinct(uniforms(0, "x", 12000, 2), np.full(12000, 4))
    counts = np.unique(np.sort(drawn, axis=1) @ [10, 1], return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 2000) ** 2 / 2000).sum() < 20.5  # chi-square, 5 degrees of freedom, p = 0.001


def test_episodes_depend_only_on_seed_dataset_and_number() -> None:
    many = uniforms(3, "pets", 40, 7)
    assert (uniforms(3, "pets", 9, 7) == many[:9]).all()
    for other in (uniforms(4, "pets", 40, 7), uniforms(3, "dtd", 40, 7)):
        assert not (other == many).any()
    assert ((many >= 0) & (many < 1)).all()


def test_rows_are_distinct_and_of_their_class_and_split() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 300)
    train, test = np.arange(0, 200), np.arange(200, 300)
    pools = eligible(labels, train, test, 5, 6)
    support, query = draw_episodes(pools, uniforms(0, "x", 50, 5 * 12), 5, 5, 6)
    assert support.shape == (50, 5, 5) and query.shape == (50, 5, 6)
    assert np.isin(support, train).all() and np.isin(query, test).all()
    for episode in range(50):
        classes = labels[support[episode]]
        assert (classes == classes[:, :1]).all() and len(set(classes[:, 0].tolist())) == 5
        assert (labels[query[episode]] == classes[:, :1]).all()
        assert len(set(support[episode].ravel().tolist())) == 25 and len(set(query[episode].ravel().tolist())) == 30


@pytest.mark.parametrize(("shots", "queries", "expected"), [(2, 1, [0, 1, 4]), (3, 1, [0, 4]), (2, 2, [0])])
def test_only_classes_with_enough_images_are_eligible(shots: int, queries: int, expected: list[int]) -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 4, 4, 4, 4, 9])
    test = np.array([3, 4, 7, 11])
    pools = eligible(labels, np.setdiff1d(np.arange(13), test), test, shots, queries)
    assert [int(labels[pool.support[0]]) for pool in pools] == expected


def slow_episode(support: np.ndarray, query: np.ndarray) -> float:
    """The original's evaluation, one query at a time."""
    ways, shots, dimension = support.shape
    mean = support.reshape(ways * shots, dimension).mean(axis=0)
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    prototypes = [np.mean([unit(one - mean) for one in support[c]], axis=0) for c in range(ways)]
    hits = []
    for c in range(ways):
        for one in query[c]:
            distances = [np.linalg.norm(unit(one - mean) - prototype) for prototype in prototypes]
            hits.append(int(np.argmin(distances)) == c)
    return float(np.mean(hits))


def test_accuracy_is_that_of_the_slow_reference() -> None:
    data = downstream(7, n=400, noise=2.0)
    pools = eligible(data.labels, data.rows("train"), data.rows("test"), 3, 4)
    support, query = draw_episodes(pools, uniforms(1, data.name, 70, 5 * 8), 5, 3, 4)
    slow = [
        slow_episode(data.features[s].astype(float), data.features[q].astype(float))
        for s, q in zip(support, query, strict=True)
    ]
    found = few_shot(data, 70, 5, 3, 4, 1, 0.9, "cpu")
    assert found is not None
    assert found.accuracy == pytest.approx(np.array(slow))
    expected = stats.ttest_1samp(slow, 0).confidence_interval(0.9)
    assert (found.score.low, found.score.high) == pytest.approx((expected.low, expected.high))
    assert found.standard_error == pytest.approx(stats.sem(slow))
    assert found.ways == 5 and found.classes == len(pools)
    assert (found.shown == np.bincount(query.ravel(), minlength=400)).all()
    assert found.correct.sum() / found.shown.sum() == pytest.approx(np.mean(slow))
    table = tables(data, found)[".images.parquet"].to_pylist()
    assert {row["key"] for row in table} == set(data.keys[np.unique(query)])
    row = table[0]
    (at,) = np.flatnonzero(data.keys == row["key"])
    assert (row["label"], row["shown"], row["correct"]) == (data.labels[at], found.shown[at], found.correct[at])


def test_episodes_are_the_same_for_every_network() -> None:
    data = downstream(6)
    other = replace(data, features=data.features * 3 + 1)
    first, second = few_shot(data, 50, 5, 5, 6, 0, 0.95, "cpu"), few_shot(other, 50, 5, 5, 6, 0, 0.95, "cpu")
    assert first is not None and second is not None
    assert (first.accuracy == second.accuracy).all()  # centring and unit length undo shift and scale


def test_sets_with_few_classes_use_all_or_none() -> None:
    found = few_shot(downstream(3), 20, 5, 5, 6, 0, 0.95, "cpu")
    assert found is not None and found.ways == 3
    assert few_shot(downstream(1), 20, 5, 5, 6, 0, 0.95, "cpu") is None


def test_a_constant_network_is_at_chance() -> None:
    hits = (
        nearest_prototypes(np.ones((4, 5, 5, 3), np.float32), np.ones((4, 5, 6, 3), np.float32))
        == np.arange(5)[:, None]
    )
    assert hits.shape == (4, 5, 6) and hits.mean(axis=(1, 2)) == pytest.approx(np.full(4, 0.2))


def test_hits_on_a_device_are_those_of_numpy() -> None:
    data = downstream(7, n=400, noise=2.0)
    found, other = (few_shot(data, 70, 5, 3, 4, 1, 0.9, device) for device in ("cpu", "cpu:0"))
    assert found is not None and other is not None and 0.3 < found.score.value < 0.95
    assert (found.accuracy == other.accuracy).all() and (found.correct == other.correct).all()
    zero = replace(data, features=np.zeros_like(data.features))
    assert all(few_shot(zero, 9, 5, 3, 4, 1, 0.9, name).score.value == 0.2 for name in ("cpu", "cpu:0"))  # type: ignore[union-attr]
