"""FAISS's searches, on a CPU and on a GPU that a fake one stands for."""

from threading import Barrier, BrokenBarrierError
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest

from tests.pairs.test_neighbours import HARD, as_lists, hard, ids_of
from workflow_scripts.pairs.neighbours import How, Rule, nearest
from workflow_scripts.pairs.search import candidates
from workflow_scripts.pairs.search.candidates import MOST_ON_GPU, all_largest, by_block, usable


def test_blocks_and_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    database, queries = (rng.integers(-9, 10, (count, 6)).astype(np.float32) for count in (50, 30))
    best = -np.sort(-(queries @ database.T), axis=1)[:, :4]  # small integers: exact
    for size, workers in ((4_096, 1), (7, 3)):
        monkeypatch.setitem(candidates.AT_ONCE, "cpu", size)
        scores, rows = all_largest(queries, database, 4, "cpu", workers)
        assert np.array_equal(scores, best)
        assert np.array_equal(np.einsum("qd,qkd->qk", queries, database[rows]), best)
    assert all_largest(queries[:0], database, 4, "cpu", 1)[1].shape == (0, 4)


def test_threads_search_at_the_same_time_on_a_cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cpu", "cuda"):
        monkeypatch.setitem(candidates.AT_ONCE, device, 1)
    meeting, two = Barrier(2), np.arange(2)
    assert sorted(by_block(two, "cpu", 2, lambda _: meeting.wait(60))) == [0, 1]
    assert list(by_block(two, "cpu", 2, lambda _: faiss.omp_get_max_threads())) == [1, 1]
    with pytest.raises(BrokenBarrierError):  # FAISS's resources of a GPU are for one thread
        list(by_block(two, "cuda", 2, lambda _: meeting.wait(0.1)))


def test_a_memory_map_is_not_copied(tmp_path: Any) -> None:
    vectors = hard("plain", 100)
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert np.array_equal(all_largest(mapped, mapped, 3, "cpu", 1)[1], all_largest(vectors, vectors, 3, "cpu", 1)[1])
    assert np.shares_memory(np.ascontiguousarray(mapped, np.float32), mapped)  # as FAISS takes it


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for a GPU build of FAISS, and the searches that were requested of it."""
    searches: list[dict[str, Any]] = []

    def knn_gpu(resources: Any, queries: np.ndarray, vectors: np.ndarray, k: int, **options: Any) -> Any:
        searches.append({"queries": len(queries), "k": k, **options})
        products, rows = faiss.knn(queries, vectors, k, metric=options["metric"])
        return products * np.float32(1 + 1e-6), rows  # other kernels, other rounding

    monkeypatch.setattr(faiss, "StandardGpuResources", SimpleNamespace, raising=False)
    monkeypatch.setattr(faiss, "knn_gpu", knn_gpu, raising=False)
    monkeypatch.setitem(candidates.AT_ONCE, "cuda", 100)
    candidates._gpu.cache_clear()
    return searches


@pytest.mark.parametrize("name", HARD)
def test_a_gpu_search_finds_the_same_neighbours(name: str, gpu: list[dict[str, Any]]) -> None:
    vectors, ids, rule = hard(name, 150), ids_of(150), Rule(2, 0.99)
    assert as_lists(nearest(vectors, ids, rule, How("cuda", 2))) == as_lists(nearest(vectors, ids, rule))
    assert len(gpu) >= 2 or name == "duplicates"
    exactly = {"metric": faiss.METRIC_INNER_PRODUCT, "use_cuvs": False}
    assert all(search.items() >= exactly.items() for search in gpu)
    for limit in ("vectorsMemoryLimit", "queriesMemoryLimit"):  # a block of queries fits, and both in a GPU of 16 GB
        assert all(262_144 * 768 * 4 <= search[limit] <= 8e9 for search in gpu)


def test_more_neighbours_than_a_gpu_finds_are_searched_on_the_cpu(
    gpu: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MOST_ON_GPU", 20)
    vectors, ids = hard("closer than rounding", 150), ids_of(150)
    assert as_lists(nearest(vectors, ids, Rule(2), How("cuda"))) == as_lists(nearest(vectors, ids, Rule(2)))
    assert gpu and all(one["k"] <= 20 for one in gpu)
    assert MOST_ON_GPU == 2_048


def test_a_build_without_gpus_searches_on_the_cpu() -> None:
    assert not hasattr(faiss, "StandardGpuResources"), "the tests run with faiss-cpu"
    assert usable("cuda") == "cpu"
    vectors, ids = hard("plain", 50), ids_of(50)
    assert as_lists(nearest(vectors, ids, Rule(1), How("cuda", 2))) == as_lists(nearest(vectors, ids, Rule(1)))
    assert nearest(vectors, ids, Rule(1), How("cuda"), np.array([3])).target[3, 0] >= 0
