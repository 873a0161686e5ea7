import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.evaluation.few_shot.episodes import draw_distinct, draw_episodes, eligible, uniforms


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


def test_episodes_depend_on_seed_set_and_number_alone() -> None:
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
    assert pools.labels.tolist() == expected
