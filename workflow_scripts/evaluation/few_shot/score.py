"""Few-shot classification by nearest prototype after centring and L2, and its tables.

SimpleShot with CL2N (Wang et al. 2019, arXiv:1911.04623).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.few_shot.episodes import draw_episodes, eligible, uniforms
from workflow_scripts.stats.intervals import Interval, standard_error, student_t

AT_ONCE = 64
RESULTS = pa.schema(
    [
        *[("dataset", pa.string()), ("metric", pa.string())],
        *[(name, pa.float64()) for name in ("value", "low", "high", "standard_error")],
        *[(name, pa.int64()) for name in ("n", "ways", "classes", "classes_left_out")],
    ]
)
IMAGES = pa.schema(
    [("dataset", pa.string()), ("key", pa.string()), *[(name, pa.int32()) for name in ("label", "shown", "correct")]]
)
EPISODES = pa.schema([("dataset", pa.string()), ("episode", pa.int32()), ("accuracy", pa.float64())])


class FewShotResult(NamedTuple):
    """Accuracy of each episode (e,), their mean with interval, its standard error, and the classes used.

    ``shown`` and ``correct`` (n,) int32 count, for each image of the set, the episodes in which it is a query, and
    those of them in which it is nearest to its own class. Their sums' ratio is the mean accuracy.
    """

    accuracy: np.ndarray
    shown: np.ndarray
    correct: np.ndarray
    score: Interval
    standard_error: float
    ways: int
    classes: int


def few_shot(
    data: Downstream, episodes: int, ways: int, shots: int, queries: int, seed: int, level: float, device: str
) -> FewShotResult | None:
    """Episodes with support from the train split and queries from the test split, as in the original.

    Classes with too few images for an episode are not drawn. A dataset with fewer such classes than ``ways`` uses
    all of them, and the result records their number; with fewer than two there is no result.
    """
    pools = eligible(data.labels, data.rows("train"), data.rows("test"), shots, queries)
    ways = min(ways, len(pools.labels))
    if ways < 2:
        return None
    uniform = uniforms(seed, data.name, episodes, ways * (1 + shots + queries))
    support, query = draw_episodes(pools, uniform, ways, shots, queries)
    blocks = [slice(start, start + AT_ONCE) for start in range(0, episodes, AT_ONCE)]
    score = _scorer(data.features, device)
    hits = np.concatenate([score(support[block], query[block]) for block in blocks])
    accuracy = hits.mean(axis=(1, 2), dtype=np.float64)
    shown, correct = (np.bincount(rows.ravel(), minlength=len(data.labels)) for rows in (query, query[hits]))
    mean, error = student_t(accuracy, level), standard_error(accuracy)
    counts = shown.astype(np.int32), correct.astype(np.int32)
    return FewShotResult(accuracy, *counts, mean, error, ways, len(pools.labels))


def _scorer(features: np.ndarray, device: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """:func:`hit_queries` of the features of rows, computed on ``device``."""
    if device == "cpu":
        return lambda support, query: hit_queries(features[support], features[query])
    # Importing torch takes longer than scoring a small set; only a GPU needs it.
    from workflow_scripts.evaluation.few_shot.score_torch import scorer_on

    return scorer_on(device, features)


def hit_queries(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Which queries are nearest (Euclidean) to their own class's prototype.

    Args:
        support: (e, ways, shots, d) float32.
        query: (e, ways, queries, d) float32.

    Returns:
        (e, ways, queries) bool. The mean of an episode's support is subtracted from all its features, each is scaled to
        unit length (a zero vector stays zero), and a prototype is the mean of its class's scaled support.
    """
    episodes, ways, queries, _ = query.shape
    centre = support.mean(axis=(1, 2), keepdims=True)
    support, query = _unit(support - centre), _unit(query - centre)
    prototypes = support.mean(axis=2)
    flat = query.reshape(episodes, ways * queries, -1)
    # |q - p|^2 without |q|^2, which is the same for every prototype.
    distance = (prototypes**2).sum(axis=-1)[:, None, :] - 2 * flat @ prototypes.swapaxes(1, 2)
    correct = distance.argmin(axis=-1) == np.repeat(np.arange(ways), queries)
    return np.asarray(correct.reshape(episodes, ways, queries))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))


def results_table(results: Sequence[tuple[Downstream, FewShotResult]]) -> pa.Table:
    """One row per set; ``n`` episodes of ``ways`` classes, drawn from ``classes`` that have enough images."""
    rows = [
        {
            **{"dataset": data.name, "metric": "accuracy", "value": found.score.value, "low": found.score.low},
            **{"high": found.score.high, "standard_error": found.standard_error, "n": len(found.accuracy)},
            **{"ways": found.ways, "classes": found.classes, "classes_left_out": len(data.classes) - found.classes},
        }
        for data, found in results
    ]
    return pa.Table.from_pylist(rows, RESULTS)


def episodes_table(results: Sequence[tuple[Downstream, FewShotResult]]) -> pa.Table:
    """One row per set and episode."""
    parts = [
        pa.table([[data.name] * len(found.accuracy), range(len(found.accuracy)), found.accuracy], schema=EPISODES)
        for data, found in results
    ]
    return pa.concat_tables([EPISODES.empty_table(), *parts])


def images_table(results: Sequence[tuple[Downstream, FewShotResult]]) -> pa.Table:
    """One row per set and test image that is a query of some episode: in how many, and in how many it is right."""
    parts = []
    for data, found in results:
        rows = np.flatnonzero(found.shown)
        columns = [data.keys[rows].tolist(), data.labels[rows], found.shown[rows], found.correct[rows]]
        parts.append(pa.table([[data.name] * len(rows), *columns], schema=IMAGES))
    return pa.concat_tables([IMAGES.empty_table(), *parts])
