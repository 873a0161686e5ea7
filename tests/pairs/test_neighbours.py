"""Neighbours against brute force in NumPy: exact, self left out, equal captions first, ties by a hash."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pairs import neighbours, ties
from workflow_scripts.pairs.neighbours import How, Near, Rule, nearest
from workflow_scripts.pairs.pools import pools_of
from workflow_scripts.pairs.search import candidates
from workflow_scripts.pairs.search import exact as exact_scores
from workflow_scripts.pairs.ties import chosen, pair_hash


def ids_of(count: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2**63, count, dtype=np.uint64)


def hashes(ids: np.ndarray) -> np.ndarray:
    """(n, n) uint64 hash of every source (row) and target (column)."""
    count = len(ids)
    return pair_hash(np.repeat(ids, count), np.tile(ids, count)).reshape(count, count)


def brute_force(vectors: np.ndarray, rule: Rule, ids: np.ndarray) -> list[list[tuple[int, float]]]:
    """For each row (row, score) of its partners, by sorting all products."""
    wide, ties = vectors.astype(np.float64), hashes(ids)
    products = np.einsum("id,jd->ij", wide, wide).astype(np.float32)
    found = []
    for source, row in enumerate(products):
        fit = [j for j in range(len(row)) if j != source and row[j] <= rule.highest]
        apart = [not np.array_equal(vectors[source], vectors[j]) for j in range(len(row))]
        best = sorted(fit, key=lambda j: (apart[j], -row[j], ties[source, j]))[: rule.k]
        found.append([(j, float(row[j])) for j in best])
    return found


def as_lists(found: Near) -> list[list[tuple[int, float]]]:
    both = zip(found.target.tolist(), found.cosine.tolist(), strict=True)
    return [[(t, c) for t, c in zip(*row, strict=True) if t >= 0] for row in both]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_equals_brute_force_with_repeated_rows_and_many_ties(data: st.DataObject) -> None:
    # Small integers are exact in float32, so equal products tie exactly in both computations.
    count, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4))
    cells = st.lists(st.integers(-2, 2), min_size=width, max_size=width)
    rows = data.draw(st.lists(cells, min_size=count, max_size=count))
    rule = Rule(data.draw(st.integers(1, 6)), data.draw(st.sampled_from([np.inf, 3.0, 5.0])))
    vectors, ids = np.array(rows, dtype=np.float32), ids_of(count)
    assert as_lists(nearest(vectors, ids, rule)) == brute_force(vectors, rule, ids)


@pytest.mark.parametrize("k", [1, 5])
def test_equals_brute_force_on_unit_vectors_with_twins(k: int) -> None:
    rng = np.random.default_rng(k)
    base = rng.normal(size=(80, 24))
    vectors = base[rng.integers(0, 80, 240)].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = ids_of(240)
    assert as_lists(nearest(vectors, ids, Rule(k))) == brute_force(vectors, Rule(k), ids)
    found = nearest(vectors, ids, Rule(k, 0.999))
    assert found.cosine.max() <= 0.999
    assert as_lists(found) == brute_force(vectors, Rule(k, 0.999), ids)


def hard(name: str, rows: int = 300, width: int = 24) -> np.ndarray:
    """(rows, width) float32 of a kind that makes a search difficult."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows, width))
    if name == "cone":  # cosines from 0.9999 on
        vectors = np.ones((rows, width)) + 0.01 * vectors
    if name == "closer than rounding":
        vectors = np.ones((rows, width)) + 1e-7 * vectors
    if name == "clusters":
        vectors = vectors[rng.integers(0, 12, rows)] + 0.05 * vectors
    if name == "duplicates":
        vectors = vectors[rng.integers(0, rows // 3, rows)]
    if name == "hub":
        vectors += 2 * vectors[0]
    if name == "opposite":  # most scores are negative
        vectors = np.abs(vectors) * np.where(np.arange(rows) % 2, 1, -1)[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if name == "norms":
        vectors *= rng.choice([0.0, 1e-3, 1.0, 30.0], (rows, 1))
    return vectors.astype(np.float32)


HARD = ["plain", "cone", "closer than rounding", "clusters", "duplicates", "hub", "opposite", "norms"]


@pytest.mark.parametrize("highest", [np.inf, 0.9, 0.2, -0.5])
@pytest.mark.parametrize("name", HARD)
def test_equals_brute_force_on_hard_vectors(name: str, highest: float) -> None:
    vectors, ids = hard(name, 150), ids_of(150)
    for k in (1, 4):
        assert as_lists(nearest(vectors, ids, Rule(k, highest))) == brute_force(vectors, Rule(k, highest), ids)


def test_only_uncertain_rows_are_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ids, searched = hard("plain"), ids_of(300), []
    vectors[50:70] = np.eye(24, dtype=np.float32)[0] + 1e-6 * vectors[50:70]  # no float32 product tells them apart
    real = neighbours.largest

    def watched(queries: np.ndarray, database: np.ndarray, width: int, device: str) -> tuple[np.ndarray, np.ndarray]:
        searched.append((len(queries), width))
        return real(queries, database, width, device)

    monkeypatch.setattr(neighbours, "largest", watched)
    assert as_lists(nearest(vectors, ids, Rule(2))) == brute_force(vectors, Rule(2), ids)
    (first, *again) = searched
    assert first == (300, 11)
    assert [width for _, width in again] == [22]  # the 20 rows and two more are enough
    assert 20 <= again[0][0] < 300


@pytest.mark.parametrize("name", ["plain", "cone", "norms"])
def test_errors_of_products_are_within_the_bound(name: str) -> None:
    vectors = hard(name, 200, 768)
    products, rows = candidates.largest(vectors, vectors, 200, "cpu")
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    error = np.abs(products - np.take_along_axis(wide @ wide.T, rows, axis=1))
    assert (error <= candidates.ROUNDING * norms[:, None] * norms.max()).all()


def test_products_may_be_wrong_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ids, rng = hard("cone", 150), ids_of(150), np.random.default_rng(1)

    def wrong(queries: np.ndarray, database: np.ndarray, width: int, device: str) -> tuple[np.ndarray, np.ndarray]:
        products = queries @ database.T
        products += rng.choice([-0.95, 0.95], products.shape) * np.float32(candidates.ROUNDING)
        rows = np.argsort(-products, axis=1)[:, :width]
        return np.take_along_axis(products, rows, axis=1), rows

    monkeypatch.setattr(neighbours, "largest", wrong)
    for rule in (Rule(1), Rule(4), Rule(2, 0.99995)):
        assert as_lists(nearest(vectors, ids, rule)) == brute_force(vectors, rule, ids)


def test_norms_of_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", 2)
    lengths = np.array([7.0, 0.25, 3.0, 0.0, 11.0], np.float32)
    assert neighbours._norms(lengths[:, None] * np.array([0.6, 0.8], np.float32)) == pytest.approx(lengths)


def test_number_of_threads_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    vectors, ids = rng.normal(size=(400, 16)).astype(np.float32)[rng.integers(0, 400, 900)], ids_of(900)
    threads, found = faiss.omp_get_max_threads(), []
    try:
        for number in (1, 3):
            faiss.omp_set_num_threads(number)
            found.append(as_lists(nearest(vectors, ids, Rule(5))))
    finally:
        faiss.omp_set_num_threads(threads)
    assert found[0] == found[1]


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    vectors, ids, order = rng.integers(-1, 2, (90, 3)).astype(np.float32), ids_of(90), rng.permutation(90)
    straight, mixed = nearest(vectors, ids, Rule(2)), nearest(vectors[order], ids[order], Rule(2))
    assert np.array_equal(order[mixed.target], straight.target[order])


def test_equal_rows_share_the_choices_evenly() -> None:
    # All tie and each of the others is as likely, so the number of uses is about Poisson(1).
    found = nearest(np.ones((900, 2), np.float32) / np.float32(2**0.5), ids_of(900), Rule(1))
    uses = np.bincount(found.target[:, 0], minlength=900)
    assert (found.target[:, 0] != np.arange(900)).all()
    assert uses.max() <= 8
    assert (uses == 0).mean() == pytest.approx(np.exp(-1), abs=0.05)


def test_more_partners_than_a_window_holds_are_those_of_a_pool() -> None:
    ids, k = ids_of(200), ties.WINDOW + 6
    found, pool = nearest(np.ones((200, 2), np.float32), ids, Rule(k)).target, pools_of(np.zeros(200, np.int64))
    assert (found >= 0).all() and np.array_equal(found, chosen(pool, ids, k))


def test_identical_rows_come_before_a_higher_score() -> None:
    # Of rows that are longer than their twins, the product with the twin is not the largest.
    vectors = np.array([[1, 0], [1, 0], [2, 0]], np.float32)
    assert nearest(vectors, ids_of(3), Rule(2)).target[:2, 0].tolist() == [1, 0]


@pytest.mark.parametrize("workers", [2, 3])
def test_blocks_and_threads_do_not_matter(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(400, 16)).astype(np.float32)[rng.integers(0, 400, 700)]
    vectors[100:140] = vectors[100] + 1e-7 * rng.normal(size=(40, 16))  # no float32 product tells them apart
    ids, rule = ids_of(700), Rule(3, 20.0)
    whole = nearest(vectors, ids, rule)
    monkeypatch.setitem(candidates.AT_ONCE, "cpu", 64)
    monkeypatch.setattr(neighbours, "ENTRIES", 100)
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    monkeypatch.setattr(ties, "ENTRIES", 11)
    monkeypatch.setattr(exact_scores, "BLOCK", 16)
    found = nearest(vectors, ids, rule, How(workers=workers))
    assert np.array_equal(found.target, whole.target)
    assert found.cosine.tobytes() == whole.cosine.tobytes()
