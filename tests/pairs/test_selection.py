"""Rules against hubs and mutual neighbours against their formulas, written out pair by pair in NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pairs.test_neighbours import hashes, ids_of
from workflow_scripts.pairs import selection
from workflow_scripts.pairs.hubs import HUBS, HubSettings
from workflow_scripts.pairs.neighbours import Near, Rule, nearest
from workflow_scripts.pairs.selection import by_score, capped, csls, first, mutual, only


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


def by_reference(near: Near, score: dict[tuple[int, int], float], candidates: int, k: int) -> list[list[int]]:
    """The best by score, the same vector first, ties in the order of the neighbours."""
    return [
        sorted(row[:candidates], key=lambda t: (near.group[s] != near.group[t], -score[s, t], row.index(t)))[:k]
        for s, row in enumerate(lists(near))
    ]


@settings(max_examples=60, deadline=None)
@given(neighbourhoods(), st.integers(1, 3), st.integers(1, 8))
def test_csls_by_its_formula(near: Near, k: int, neighbours: int) -> None:
    cosines = [[c for c in row if np.isfinite(c)] for row in near.cosine.astype(float).tolist()]
    mean = [np.mean(row[:neighbours]) if row else 0.0 for row in cosines]
    score = {
        (s, t): 2 * cosines[s][i] - mean[s] - mean[t] for s, row in enumerate(lists(near)) for i, t in enumerate(row)
    }
    got, values = by_score(near, None, csls(near, neighbours), 6, k), csls(near, neighbours)(slice(None))
    for (s, t), value in score.items():
        assert values[s, lists(near)[s].index(t)] == pytest.approx(value, abs=1e-12)
    exact = {(s, t): float(values[s, lists(near)[s].index(t)]) for s, t in score}
    assert lists(got) == by_reference(near, exact, 6, k)


@settings(max_examples=60, deadline=None)
@given(neighbourhoods(), st.integers(1, 8))
def test_mutual_neighbours_are_in_both_lists(near: Near, m: int) -> None:
    nearest_m = [row[:m] for row in lists(near)]
    got = lists(only(near, mutual(near, m)))
    assert got == [[t for t in row if s in nearest_m[t]] for s, row in enumerate(nearest_m)]
    assert all(s in got[t] for s, row in enumerate(got) for t in row)


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


@pytest.mark.parametrize("hubs", sorted(HUBS))
@settings(max_examples=20, deadline=None)
@given(near=neighbourhoods(), k=st.integers(1, 3))
def test_partners_are_distinct_candidates(hubs: str, near: Near, k: int) -> None:
    got = HUBS[hubs].choose(near, None, k, HubSettings(candidates=6, hub_neighbours=4))
    assert got.target.shape == got.cosine.shape == (len(near.ids), k)
    for source, (row, candidates) in enumerate(zip(lists(got), lists(near), strict=True)):
        assert len(set(row)) == len(row)
        assert set(row) <= set(candidates[:6])
        places = [candidates.index(t) for t in row]
        assert got.cosine[source, : len(row)].tolist() == near.cosine[source, places].tolist()
        if hubs != "cap":
            assert len(row) == min(k, len(candidates[:6]))


@pytest.mark.parametrize("hubs", ["csls", "cap"])
def test_hub_corrections_reduce_the_sources_of_a_hub(hubs: str) -> None:
    # Row 0 is the centre of a sphere's cap: in 20 dimensions it is the nearest of many others.
    rng = np.random.default_rng(0)
    around = rng.normal(size=(60, 20))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    vectors = np.concatenate([np.ones((61, 1)), np.concatenate([np.zeros((1, 20)), around])], axis=1)
    near = nearest((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), ids_of(61), Rule(20))
    assert np.bincount(first(near, 1).target[:, 0])[0] == 13
    corrected = HUBS[hubs].choose(near, None, 1, HubSettings()).target[:, 0]
    assert np.bincount(corrected[corrected >= 0]).max() <= {"csls": 4, "cap": 2}[hubs]


def test_all_equal_rows_keep_the_order_of_the_hash() -> None:
    near = nearest(np.tile(np.float32([0.6, 0.8]), (12, 1)), ids_of(12), Rule(11))
    got = HUBS["csls"].choose(near, None, 2, HubSettings(candidates=11, hub_neighbours=3))
    assert np.array_equal(got.target, near.target[:, :2])
    one_each = capped(near, 1, 1).target[:, 0]
    assert sorted(one_each[one_each >= 0].tolist()) == sorted(set(one_each[one_each >= 0].tolist()))


@settings(max_examples=30, deadline=None)
@given(neighbourhoods(), st.integers(1, 6))
def test_mutual_neighbours_do_not_change_the_scores(near: Near, m: int) -> None:
    # The best of all candidates by CSLS in their order, without those that are not mutual.
    ranked = by_score(near, None, csls(near, 5), m, m)
    allowed = [set(row) for row in lists(only(near, mutual(near, m)))]
    got = HUBS["csls"].choose(near, mutual(near, m), m, HubSettings(candidates=m, hub_neighbours=5))
    assert lists(got) == [[t for t in row if t in allowed[s]] for s, row in enumerate(lists(ranked))]


def test_block_sizes_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    near = nearest(unit(np.random.default_rng(3), 50, distinct=30), ids_of(50), Rule(8))

    def results() -> list[list[list[int]]]:
        chosen = [lists(HUBS[hubs].choose(near, None, 2, HubSettings(candidates=8, hub_neighbours=5))) for hubs in HUBS]
        return [*chosen, lists(only(near, mutual(near, 4)))]

    whole = results()
    monkeypatch.setattr(selection, "BLOCK", 7)
    assert results() == whole


@pytest.mark.parametrize("hubs", ["csls"])
def test_scores_choose_among_the_candidates_that_are_allowed(hubs: str) -> None:
    near = nearest(unit(np.random.default_rng(0), 60), ids_of(60), Rule(20))
    allowed = mutual(near, 20)
    allowed[:, :3] = False
    got = HUBS[hubs].choose(near, allowed, 1, HubSettings(candidates=3, hub_neighbours=5))
    assert allowed.any(axis=1).sum() == (got.target[:, 0] >= 0).sum() > 40
    for row, (partner,) in enumerate(got.target.tolist()):
        assert partner < 0 or partner in near.target[row][allowed[row]][:3]
