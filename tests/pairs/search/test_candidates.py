"""Both searches find the largest products."""

import numpy as np
import pytest

from workflow_scripts.pairs.search import candidates as module
from workflow_scripts.pairs.search.candidates import Database, _by_faiss, _by_torch


def test_torch_and_faiss_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ON_GPU", 7)
    rng = np.random.default_rng(0)
    database, queries = (rng.integers(-9, 10, (count, 6)).astype(np.float32) for count in (50, 30))
    wanted = -np.sort(-(queries @ database.T), axis=1)[:, :4]  # small integers: exact
    for search in (_by_faiss(database), _by_torch(database, "cpu")):
        scores, rows = search(queries, 4)
        assert np.array_equal(scores, wanted)
        assert np.array_equal(np.einsum("qd,qkd->qk", queries, database[rows]), wanted)


def test_blocks_of_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    database, queries = (rng.normal(size=(count, 6)).astype(np.float32) for count in (50, 30))
    whole = Database(database, "cpu").candidates(queries, 4)
    monkeypatch.setattr(module, "DATABASE_ROWS", 9)
    monkeypatch.setattr(module, "QUERY_ROWS", 8)
    scores, rows = Database(database, "cpu").candidates(queries, 4)
    assert np.array_equal(rows, whole[1])
    assert np.allclose(scores, whole[0], rtol=1e-6)
