import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from workflow_scripts.models import nearest
from workflow_scripts.models.nearest import nearest_classes, nearest_classes_on


def sides(seed: int = 0, n: int = 90, q: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bank, its labels of four classes, and queries."""
    generator = np.random.default_rng(seed)
    labels, centres = generator.integers(0, 4, n), generator.normal(size=(4, 6))
    queries = centres[generator.integers(0, 4, q)] + generator.normal(size=(q, 6))
    return centres[labels] + generator.normal(size=(n, 6)), labels, queries


def classes(bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int, temperature: float) -> list[int]:
    return list(nearest_classes(bank, labels, queries, k, temperature))


def reference(bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int, temperature: float) -> list[int]:
    """The same, one query and one vote at a time."""
    bank, queries = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (bank, queries))
    found = []
    for query in queries:
        cosine, votes = bank @ query, np.zeros(labels.max() + 1)
        for i in np.argsort(-cosine)[:k]:
            votes[labels[i]] += np.exp(cosine[i] / temperature)
        found.append(int(votes.argmax()))
    return found


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.07), (20, 0.5), (500, 0.07)])
def test_classes_are_those_of_a_plain_loop_and_of_scikit_learn(k: int, temperature: float) -> None:
    bank, labels, queries = sides()
    ours = classes(bank, labels, queries, k, temperature)
    assert ours == reference(bank, labels, queries, k, temperature)
    judge = KNeighborsClassifier(
        min(k, 90), metric="cosine", weights=lambda distance: np.exp((1 - distance) / temperature), algorithm="brute"
    )
    assert ours == judge.fit(bank, labels).predict(queries).tolist()


def test_a_near_vote_outweighs_two_far_votes_below_the_critical_temperature() -> None:
    """A neighbour at cosine 1 against two at cosine c: exp(1/T) = 2 exp(c/T) at T = (1 - c) / log 2."""
    c = 0.8
    bank, labels = np.array([[1.0, 0], [c, 0.6], [c, -0.6]]), np.array([0, 1, 1])
    even = (1 - c) / np.log(2)
    query = np.array([[2.0, 0]])
    assert classes(bank, labels, query, 3, even * 0.99) == [0]
    assert classes(bank, labels, query, 3, even * 1.01) == [1]
    assert classes(bank, labels, query, 2, even * 1.01) == [0]


def test_limits_of_the_temperature() -> None:
    bank, labels, queries = sides(1)
    assert classes(bank, labels, queries, 20, 1e-6) == classes(bank, labels, queries, 1, 0.07)
    majority = np.bincount(labels).argmax()
    assert classes(bank, labels, queries, 90, 1e9) == [majority] * 40


def test_votes_ignore_vector_length_and_ties_go_to_the_lowest_class() -> None:
    bank, labels, queries = sides(2)
    scaled = bank * np.random.default_rng(0).uniform(0.1, 9, (90, 1))
    assert classes(scaled, labels, queries, 20, 0.07) == classes(bank, labels, queries, 20, 0.07)
    assert classes(np.ones((2, 2)), np.array([3, 1]), np.ones((1, 2)), 2, 0.07) == [1]


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, labels, queries = sides()
    whole = classes(bank, labels, queries, 20, 0.07)
    monkeypatch.setattr(nearest, "AT_ONCE", 7)
    assert classes(bank, labels, queries, 20, 0.07) == whole


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (500, 0.5)])
def test_torch_finds_the_same_classes_in_blocks(k: int, temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, labels, queries = (side.astype(np.float32) for side in sides(3))
    labels = labels.astype(np.int32)
    expected = classes(bank, labels, queries, k, temperature)
    assert len(set(expected)) > 1
    for at_once, bank_at_once in ((2048, 65_536), (7, 11)):
        monkeypatch.setattr(nearest, "GPU_AT_ONCE", at_once)
        monkeypatch.setattr(nearest, "BANK_AT_ONCE", bank_at_once)
        assert nearest_classes_on("cpu", bank, labels, queries, k, temperature).tolist() == expected
