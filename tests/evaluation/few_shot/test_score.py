from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.sets import downstream
from workflow_scripts.evaluation.few_shot.episodes import draw_episodes, eligible, uniforms
from workflow_scripts.evaluation.few_shot.score import few_shot, hit_queries, images_table


def slow_episode(support: np.ndarray, query: np.ndarray) -> float:
    """The original's evaluation, one query at a time."""
    ways, shots, dimension = support.shape
    mean = support.reshape(ways * shots, dimension).mean(axis=0)
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    prototypes = [np.mean([unit(one - mean) for one in support[c]], axis=0) for c in range(ways)]
    hits = []
    for c in range(ways):
        for one in query[c]:
            distances = [np.linalg.norm(unit(one - mean) - prototype) for prototype in prototypes]
            hits.append(int(np.argmin(distances)) == c)
    return float(np.mean(hits))


def test_accuracy_is_that_of_the_slow_reference() -> None:
    data = downstream(7, n=400, noise=2.0)
    pools = eligible(data.labels, data.rows("train"), data.rows("test"), 3, 4)
    support, query = draw_episodes(pools, uniforms(1, data.name, 70, 5 * 8), 5, 3, 4)
    slow = [
        slow_episode(data.features[s].astype(float), data.features[q].astype(float))
        for s, q in zip(support, query, strict=True)
    ]
    found = few_shot(data, 70, 5, 3, 4, 1, 0.9, "cpu")
    assert found is not None
    assert found.accuracy == pytest.approx(np.array(slow))
    expected = stats.ttest_1samp(slow, 0).confidence_interval(0.9)
    assert (found.score.low, found.score.high) == pytest.approx((expected.low, expected.high))
    assert found.standard_error == pytest.approx(stats.sem(slow))
    assert found.ways == 5 and found.classes == len(pools.labels)
    assert (found.shown == np.bincount(query.ravel(), minlength=400)).all()
    assert found.correct.sum() / found.shown.sum() == pytest.approx(np.mean(slow))
    table = images_table([(data, found)]).to_pylist()
    assert {row["key"] for row in table} == set(data.keys[np.unique(query)])
    row = table[0]
    (at,) = np.flatnonzero(data.keys == row["key"])
    assert (row["label"], row["shown"], row["correct"]) == (data.labels[at], found.shown[at], found.correct[at])


def test_episodes_are_the_same_for_every_network() -> None:
    data = downstream(6)
    other = replace(data, features=data.features * 3 + 1)
    first, second = few_shot(data, 50, 5, 5, 6, 0, 0.95, "cpu"), few_shot(other, 50, 5, 5, 6, 0, 0.95, "cpu")
    assert first is not None and second is not None
    assert (first.accuracy == second.accuracy).all()  # centring and unit length undo shift and scale


def test_sets_with_few_classes_use_all_or_none() -> None:
    found = few_shot(downstream(3), 20, 5, 5, 6, 0, 0.95, "cpu")
    assert found is not None and found.ways == 3
    assert few_shot(downstream(1), 20, 5, 5, 6, 0, 0.95, "cpu") is None


def test_a_constant_network_is_at_chance() -> None:
    hits = hit_queries(np.ones((4, 5, 5, 3), np.float32), np.ones((4, 5, 6, 3), np.float32))
    assert hits.shape == (4, 5, 6) and hits.mean(axis=(1, 2)) == pytest.approx(np.full(4, 0.2))


def test_hits_on_a_device_are_those_of_numpy() -> None:
    data = downstream(7, n=400, noise=2.0)
    found, other = (few_shot(data, 70, 5, 3, 4, 1, 0.9, device) for device in ("cpu", "cpu:0"))
    assert found is not None and other is not None and 0.3 < found.score.value < 0.95
    assert (found.accuracy == other.accuracy).all() and (found.correct == other.correct).all()
    zero = replace(data, features=np.zeros_like(data.features))
    assert all(few_shot(zero, 9, 5, 3, 4, 1, 0.9, name).score.value == 0.2 for name in ("cpu", "cpu:0"))  # type: ignore[union-attr]
