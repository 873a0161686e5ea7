"""An approximate search: its recall, and that neither parts nor threads change what it finds."""

import faiss
import numpy as np
import pytest

from tests.pairs.test_neighbours import ids_of
from workflow_scripts.core.declaration.parts import Part
from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import How, Rule, nearest, nearest_of, rows_of_part
from workflow_scripts.pairs.search import approximate as module
from workflow_scripts.pairs.search.approximate import Compressed

HOW = How(approximate=3)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MANY", 0)
    monkeypatch.setattr(module, "BLOCK", 256)
    monkeypatch.setattr(neighbours, "TOGETHER", 256)


def clustered(rows: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows // 20, width))[rng.integers(0, rows // 20, rows)] + rng.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("width", [50, 384])
def test_most_of_the_nearest_are_found(width: int) -> None:
    vectors, ids = clustered(2000, width), ids_of(2000)
    best, found = nearest(vectors, ids, Rule(1)), nearest(vectors, ids, Rule(1), HOW)
    same = found.target == best.target
    assert same.mean() > 0.97
    assert np.array_equal(found.cosine[same], best.cosine[same])  # scores are exact
    assert (found.cosine <= best.cosine).all() and (found.target != np.arange(2000)[:, None]).all()


def test_parts_and_threads_do_not_matter() -> None:
    vectors, ids, rule = clustered(1000, 64), ids_of(1000), Rule(3, 0.9)
    threads, wholes = faiss.omp_get_max_threads(), []
    try:
        for number in (1, 3):
            faiss.omp_set_num_threads(number)
            wholes.append(nearest(vectors, ids, rule, How(workers=number, approximate=3)))
            assert faiss.omp_get_max_threads() == number
    finally:
        faiss.omp_set_num_threads(threads)
    target, cosine = np.full_like(wholes[0].target, -2), np.zeros_like(wholes[0].cosine)
    for number in range(3):
        how = How(part=Part(number, 3), approximate=3)
        found = nearest(vectors, ids, rule, how)
        rows = rows_of_part(found, how)
        target[rows], cosine[rows] = found.target[rows], found.cosine[rows]
    for whole in wholes:
        assert np.array_equal(target, whole.target) and cosine.tobytes() == whole.cosine.tobytes()


def test_rows_whose_candidates_are_above_the_highest_score_are_searched_exactly() -> None:
    vectors, ids, rule = clustered(600, 64), ids_of(600), Rule(2, 0.2)  # hundreds of rows are nearer than 0.2
    best, found = nearest(vectors, ids, rule), nearest(vectors, ids, rule, HOW)
    assert (found.target >= 0).all() and np.isclose(found.cosine, best.cosine, atol=0.02).all()


def test_an_exact_search_for_some_rows() -> None:
    vectors, ids = clustered(400, 32), ids_of(400)
    vectors[7] = vectors[9]
    best, rows = nearest(vectors, ids, Rule(4)), np.array([3, 9, 200])
    found = nearest_of(rows, vectors, ids, Rule(4), HOW)
    assert np.array_equal(found.target[rows], best.target[rows])
    assert (np.delete(found.target, [3, 7, 9, 200], axis=0) == -1).all()


def test_the_seed_decides_the_compression() -> None:
    vectors = clustered(400, 32)
    one, same, other = (Compressed(vectors, seed)._projection for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
