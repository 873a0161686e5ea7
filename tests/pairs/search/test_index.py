"""Searches in indexes of FAISS: their recall, that threads change nothing, and errors."""

import faiss
import numpy as np
import pytest

from tests.pairs.test_neighbours import ids_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import How, Rule, nearest
from workflow_scripts.pairs.search import candidates
from workflow_scripts.pairs.search import index as module
from workflow_scripts.pairs.search.index import Index, check_index

FACTORIES = [
    Index("PQ16x4fs", seed=3),
    Index("IVF8,Flat", "nprobe=4"),
    Index("OPQ16,IVF8,PQ16x4fs", "nprobe=4"),
    Index("HNSW16"),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FEWEST", 0)
    monkeypatch.setattr(module, "ADDED", 300)
    monkeypatch.setitem(candidates.AT_ONCE, "cpu", 256)


def clustered(rows: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows // 20, width))[rng.integers(0, rows // 20, rows)] + rng.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("index", FACTORIES, ids=lambda index: index.factory)
def test_an_index_finds_most_nearest_neighbours(index: Index) -> None:
    vectors, ids = clustered(1000, 64), ids_of(1000)
    best, found = nearest(vectors, ids, Rule(1)), nearest(vectors, ids, Rule(1), How(index=index))
    same = found.target == best.target
    assert same.mean() > 0.9
    assert np.array_equal(found.cosine[same], best.cosine[same])  # scores are exact
    assert (found.cosine <= best.cosine).all() and (found.target != np.arange(1000)[:, None]).all()


@pytest.mark.parametrize("index", FACTORIES, ids=lambda index: index.factory)
def test_threads_do_not_matter(index: Index) -> None:
    vectors, ids, rule = clustered(1000, 64), ids_of(1000), Rule(3, 0.9)
    threads, wholes = faiss.omp_get_max_threads(), []
    try:
        for number in (1, 3):
            faiss.omp_set_num_threads(number)
            wholes.append(nearest(vectors, ids, rule, How(workers=number, index=index)))
            assert faiss.omp_get_max_threads() == number
    finally:
        faiss.omp_set_num_threads(threads)
    one, other = wholes
    assert np.array_equal(one.target, other.target) and one.cosine.tobytes() == other.cosine.tobytes()


def test_rows_of_which_the_index_finds_too_few_are_searched_exactly() -> None:
    vectors, ids = clustered(600, 64), ids_of(600)
    how, rule = How(index=Index("IVF300,Flat")), Rule(5)  # it looks for neighbours in one list of about two rows
    best, found = nearest(vectors, ids, rule), nearest(vectors, ids, rule, how)
    assert (found.target >= 0).all() and (found.target == best.target).mean() > 0.9
    far = Rule(2, 0.2)  # hundreds of rows are nearer than 0.2
    found = nearest(vectors, ids, far, How(index=Index("PQ16x4fs")))
    assert (found.target >= 0).all() and (found.cosine <= 0.2).all()


def test_enough_neighbours_at_the_highest_score_need_no_second_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "largest", None)
    found = nearest(np.eye(8, dtype=np.float32), ids_of(8), Rule(2, 0.0), How(index=Index("IVF1,Flat")))
    assert (found.target >= 0).all() and (found.cosine == 0).all()


def test_few_rows_are_searched_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FEWEST", 401)
    vectors, ids = clustered(400, 32), ids_of(400)
    found = nearest(vectors, ids, Rule(4), How(index=Index("IVF300,Flat")))
    assert np.array_equal(found.target, nearest(vectors, ids, Rule(4)).target)


def test_selected_rows_are_searched_exactly() -> None:
    vectors, ids = clustered(400, 32), ids_of(400)
    vectors[7] = vectors[9]
    best, rows = nearest(vectors, ids, Rule(4)), np.array([3, 9, 200])
    found = nearest(vectors, ids, Rule(4), How(index=FACTORIES[0]), rows)
    assert np.array_equal(found.target[rows], best.target[rows])
    assert (np.delete(found.target, [3, 7, 9, 200], axis=0) == -1).all()


def test_the_seed_decides_the_vectors_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRAINED_ON", 300)
    vectors = clustered(400, 32)
    one, same, other = (faiss.serialize_index(Index("PQ8x4", seed=seed).of(vectors)) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("factory", ["PQ96", "PQ512", "PQ28"])
def test_an_index_suitable_for_one_usual_width_is_accepted(factory: str) -> None:
    check_index(Index(factory))


def test_the_index_s_best_candidates_are_scored_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "COMPARED", 1)
    vectors, index = clustered(400, 32), Index("PQ8x4")
    found, near = nearest(vectors, ids_of(400), Rule(2), How(index=index)), index.of(vectors).search(vectors, 3)[1]
    enough = (near != np.arange(400)[:, None]).sum(axis=1) == 2  # with the row itself; the others are searched again
    expected = np.sort(near[enough][near[enough] != np.flatnonzero(enough)[:, None]].reshape(-1, 2), axis=1)
    assert np.array_equal(np.sort(found.target[enough], axis=1), expected) and enough.sum() > 50


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (Index("IVF64"), "index that FAISS can't make in pairs: IVF64; choose another"),
        (Index("PQ11"), "FAISS says: The dimension of the vector .d. should be a multiple"),
        (Index("IVF64,Flat", "nprob=8"), "IVF64,Flat nprob=8; .*could not set parameter nprob$"),
    ],
)
def test_an_index_refused_by_faiss_is_an_error(index: Index, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        check_index(index)


def test_an_index_unsuitable_for_the_vectors_is_an_error() -> None:
    vectors, ids = clustered(200, 20), ids_of(200)
    check_index(Index("PQ8"))  # of no width that is known yet
    with pytest.raises(PipelineError, match=r"index that FAISS can't make in pairs: PQ8; .* multiple of the number"):
        nearest(vectors, ids, Rule(1), How(index=Index("PQ8")))
    with pytest.raises(PipelineError, match=r"can't train in pairs: IVF300,Flat, of 200 vectors; .* training points"):
        nearest(vectors, ids, Rule(1), How(index=Index("IVF300,Flat")))
