"""Neighbours against brute force in NumPy: exact, self left out, ties by row order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs import neighbours, search
from workflow_scripts.pairs.neighbours import Rule, nearest


def brute_force(vectors: np.ndarray, rule: Rule) -> list[tuple[int, int, int, float]]:
    """(source, target, rank, score) by sorting all products."""
    wide = vectors.astype(np.float64)
    products = np.einsum("id,jd->ij", wide, wide).astype(np.float32)
    pairs = []
    for source, row in enumerate(products):
        fit = [j for j in range(len(row)) if j != source and rule.lowest <= row[j] <= rule.highest]
        best = sorted(fit, key=lambda j: (-row[j], j))[: rule.k]
        pairs += [(source, j, rank, float(row[j])) for rank, j in enumerate(best, start=1)]
    return pairs


def as_tuples(found: neighbours.Found) -> list[tuple[int, int, int, float]]:
    columns = (found.source.tolist(), found.target.tolist(), found.rank.tolist(), found.cosine.tolist())
    return list(zip(*columns, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_equals_brute_force_with_repeated_rows_and_many_ties(data: st.DataObject) -> None:
    # Small integers are exact in float32, so equal products tie exactly in both computations.
    count, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4))
    cells = st.lists(st.integers(-2, 2), min_size=width, max_size=width)
    rows = data.draw(st.lists(cells, min_size=count, max_size=count))
    lowest = data.draw(st.sampled_from([-np.inf, 0.0, 2.0]))
    highest = data.draw(st.sampled_from([np.inf, 3.0, 5.0]))
    rule = Rule(data.draw(st.integers(1, 6)), lowest, highest)
    vectors = np.array(rows, dtype=np.float32)
    assert as_tuples(nearest(vectors, rule)) == brute_force(vectors, rule)


@pytest.mark.parametrize("k", [1, 5])
def test_equals_brute_force_on_unit_vectors_with_twins(k: int) -> None:
    rng = np.random.default_rng(k)
    base = rng.normal(size=(200, 24))
    vectors = base[rng.integers(0, 200, 600)].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert as_tuples(nearest(vectors, Rule(k))) == brute_force(vectors, Rule(k))
    passed_over = Rule(k, 0.0, 0.999)
    found = nearest(vectors, passed_over)
    assert found.cosine.max() <= 0.999
    assert as_tuples(found) == brute_force(vectors, passed_over)


def test_search_widens_when_neighbours_are_closer_than_rounding() -> None:
    rng = np.random.default_rng(0)
    # 300 rows within 1e-7 of one another: no float32 product tells them apart.
    vectors = (np.ones((300, 8)) + rng.normal(size=(300, 8)) * 1e-7).astype(np.float32) / np.float32(8**0.5)
    assert as_tuples(nearest(vectors, Rule(2))) == brute_force(vectors, Rule(2))


def test_block_sizes_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(1).integers(-3, 4, (257, 5)).astype(np.float32)
    whole = nearest(vectors, Rule(3))
    monkeypatch.setattr(search, "DATABASE_ROWS", 17)
    monkeypatch.setattr(search, "QUERY_ROWS", 23)
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    assert as_tuples(nearest(vectors, Rule(3))) == as_tuples(whole)


def test_one_row_has_no_neighbour() -> None:
    assert len(nearest(np.ones((1, 3), np.float32), Rule(1)).source) == 0
