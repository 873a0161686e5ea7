"""The limit of sources per partner against going through all pairs one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pairs.test_neighbours import hashes, ids_of
from workflow_scripts.pairs.neighbours import Near, Rule, nearest
from workflow_scripts.pairs.selection import capped


def lists(near: Near) -> list[list[int]]:
    return [[t for t in row if t >= 0] for row in near.target.tolist()]


def unit(rng: np.random.Generator, count: int, width: int = 3, distinct: int = 0) -> np.ndarray:
    """Unit vectors of which some are equal."""
    base = rng.normal(size=(distinct or count, width))
    base[:, 0] += 1
    rows = base[rng.integers(0, len(base), count)] if distinct else base
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def neighbourhoods(draw: st.DrawFn, width: int = 8) -> Near:
    count = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    vectors = unit(rng, count, distinct=draw(st.sampled_from([0, max(1, count // 2)])))
    return nearest(vectors, ids_of(count), Rule(width, draw(st.sampled_from([np.inf, 0.999]))))


@settings(max_examples=100, deadline=None)
@given(neighbourhoods(), st.integers(1, 3), st.integers(1, 3))
def test_cap_equals_going_through_all_pairs_by_similarity(near: Near, k: int, uses: int) -> None:
    ties, cosine = hashes(near.ids), near.cosine.astype(float)
    pairs = [(s, t, cosine[s, i]) for s, row in enumerate(lists(near)) for i, t in enumerate(row)]
    pairs.sort(key=lambda p: (near.group[p[0]] != near.group[p[1]], -p[2], ties[p[0], p[1]], p[0]))
    used, expected = [0] * len(near.ids), [[] for _ in near.ids]
    for source, target, _ in pairs:
        if len(expected[source]) < k and used[target] < uses:
            expected[source].append(target)
            used[target] += 1
    assert lists(capped(near, k, uses)) == expected


@settings(max_examples=20, deadline=None)
@given(near=neighbourhoods(), k=st.integers(1, 3))
def test_partners_are_distinct_candidates(near: Near, k: int) -> None:
    got = capped(near, k, 2)
    assert got.target.shape == got.cosine.shape == (len(near.ids), k)
    assert all(np.array_equal(table.target == -1, table.cosine == -np.inf) for table in (near, got))
    for source, (row, candidates) in enumerate(zip(lists(got), lists(near), strict=True)):
        assert len(set(row)) == len(row)
        places = [candidates.index(t) for t in row]
        assert got.cosine[source, : len(row)].tolist() == near.cosine[source, places].tolist()


def test_a_cap_reduces_the_sources_of_a_hub() -> None:
    # Row 0 is the centre of a sphere's cap: in 20 dimensions it is the nearest of many others.
    rng = np.random.default_rng(0)
    around = rng.normal(size=(60, 20))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    vectors = np.concatenate([np.ones((61, 1)), np.concatenate([np.zeros((1, 20)), around])], axis=1)
    near = nearest((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), ids_of(61), Rule(20))
    assert np.bincount(near.target[:, 0])[0] == 13
    corrected = capped(near, 1, 2).target[:, 0]
    assert np.bincount(corrected[corrected >= 0]).max() <= 2


def test_of_equal_rows_each_is_used_once() -> None:
    near = nearest(np.tile(np.float32([0.6, 0.8]), (12, 1)), ids_of(12), Rule(11))
    one_each = capped(near, 1, 1).target[:, 0]
    assert len(set(one_each[one_each >= 0].tolist())) == (one_each >= 0).sum()


@pytest.mark.parametrize(("count", "k", "seed"), [(8, 2, 14), (6, 3, 17), (8, 3, 15)])
def test_places_without_a_candidate_change_nothing(count: int, k: int, seed: int) -> None:
    # With these seeds, one row has no candidate left when another asks for the last row, the one at place -1.
    vectors, ids = unit(np.random.default_rng(seed), count), ids_of(count)
    full, longer = (capped(nearest(vectors, ids, Rule(width)), k, 2) for width in (count - 1, count))
    assert lists(full) == lists(longer)
