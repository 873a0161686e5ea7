"""Few-shot classification by nearest prototype after centring and L2: its episodes, scores and tables.

SimpleShot with CL2N (Wang et al. 2019, arXiv:1911.04623). Classes and images of episodes have a seed of their own,
so that all runs use the same ones.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.stats.intervals import Interval, standard_error, student_t
from workflow_scripts.stats.seeds import derive

AT_ONCE = 64
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high", "standard_error")],
        *[(name, pa.int64()) for name in ("n", "ways", "classes", "classes_left_out")],
    ]
)
IMAGES = pa.schema(
    [("dataset", pa.string()), ("key", pa.string()), *[(name, pa.int32()) for name in ("label", "shown", "correct")]]
)
EPISODES = pa.schema([("dataset", pa.string()), ("episode", pa.int32()), ("accuracy", pa.float64())])


class Pool(NamedTuple):
    """Row numbers (n,) int64 of a class, from which support and query images are drawn."""

    support: np.ndarray
    query: np.ndarray


def eligible(
    labels: np.ndarray, support_rows: np.ndarray, query_rows: np.ndarray, shots: int, queries: int
) -> list[Pool]:
    """Pools of the classes with at least ``shots`` support rows and ``queries`` query rows, by ascending label."""
    pools = [Pool(*(rows[labels[rows] == label] for rows in (support_rows, query_rows))) for label in np.unique(labels)]
    return [pool for pool in pools if len(pool.support) >= shots and len(pool.query) >= queries]


def uniforms(seed: int, name: str, episodes: int, numbers: int) -> np.ndarray:
    """(episodes, numbers) float64 in [0, 1): each row from a generator seeded by set name and episode alone."""
    rows = np.empty((episodes, numbers))
    for episode in range(episodes):
        key = derive(seed, "few_shot", name, episode)
        np.random.Generator(np.random.Philox(key=key)).random(out=rows[episode])
    return rows


def draw_distinct(uniform: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distinct numbers below ``sizes``, every ordered choice equally likely.

    Args:
        uniform: (..., k) in [0, 1).
        sizes: (...) int, each >= k.

    Returns:
        (..., k) int64. Entry j is the item at position ``floor(u_j (size - j))`` of the items not yet taken, in
        ascending order, that is, a Fisher-Yates draw without the list.
    """
    taken = np.empty(uniform.shape, dtype=np.int64)
    for j in range(uniform.shape[-1]):
        item = (uniform[..., j] * (sizes - j)).astype(np.int64)
        for earlier in np.moveaxis(np.sort(taken[..., :j], axis=-1), -1, 0):
            item += item >= earlier
        taken[..., j] = item
    return taken


def draw_episodes(
    pools: Sequence[Pool], uniform: np.ndarray, ways: int, shots: int, queries: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each episode's images.

    Args:
        pools: of the eligible classes.
        uniform: (e, ways (1 + shots + queries)) from :func:`uniforms`.

    Returns:
        Support (e, ways, shots) and query (e, ways, queries) row numbers; the second axis is the episode's class.
    """
    chosen = draw_distinct(uniform[:, :ways], np.full(len(uniform), len(pools)))
    rest = uniform[:, ways:].reshape(len(uniform), ways, shots + queries)
    support = _rows([pool.support for pool in pools], chosen, rest[..., :shots])
    return support, _rows([pool.query for pool in pools], chosen, rest[..., shots:])


def _rows(pool: list[np.ndarray], chosen: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    sizes = np.array([len(one) for one in pool])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    positions = draw_distinct(uniform, sizes[chosen])
    return np.concatenate(pool)[starts[chosen][..., None] + positions]


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
    ways = min(ways, len(pools))
    if ways < 2:
        return None
    uniform = uniforms(seed, data.name, episodes, ways * (1 + shots + queries))
    support, query = draw_episodes(pools, uniform, ways, shots, queries)
    blocks = [slice(start, start + AT_ONCE) for start in range(0, episodes, AT_ONCE)]
    score = _scorer(data.features, device)
    nearest = np.concatenate([score(support[block], query[block]) for block in blocks])
    hits = nearest == np.arange(ways)[:, None]
    accuracy = hits.mean(axis=(1, 2), dtype=np.float64)
    shown, correct = (np.bincount(rows.ravel(), minlength=len(data.labels)) for rows in (query, query[hits]))
    mean, error = student_t(accuracy, level), standard_error(accuracy)
    counts = shown.astype(np.int32), correct.astype(np.int32)
    return FewShotResult(accuracy, *counts, mean, error, ways, len(pools))


def _scorer(features: np.ndarray, device: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """:func:`nearest_prototypes` of the features of rows, which are kept on ``device``."""
    if device == "cpu":
        return lambda support, query: nearest_prototypes(features[support], features[query])
    import torch  # longer than scoring a small set; only a GPU needs it

    kept = torch.from_numpy(features).to(device)

    def nearest(*rows: np.ndarray) -> np.ndarray:
        support, query = (kept[torch.from_numpy(part).to(device)] for part in rows)
        return np.asarray(nearest_prototypes(support, query).cpu().numpy())

    return nearest


def nearest_prototypes(support: Any, query: Any) -> Any:
    """Which prototype each query is nearest to (Euclidean), with NumPy or PyTorch as the arrays are.

    Args:
        support: (e, ways, shots, d) float32.
        query: (e, ways, queries, d) float32.

    Returns:
        (e, ways, queries) int. The mean of an episode's support is subtracted from all its features, each is scaled to
        unit length (a zero vector stays zero), and a prototype is the mean of its class's scaled support.
    """
    centre = support.mean(axis=(1, 2), keepdims=True)
    support, query = _unit(support - centre), _unit(query - centre)
    prototypes = support.mean(axis=2)
    flat = query.reshape(len(query), -1, query.shape[-1])
    # |q - p|^2 without |q|^2, which is the same for every prototype.
    distance = (prototypes**2).sum(axis=-1)[:, None, :] - 2 * flat @ prototypes.swapaxes(1, 2)
    return distance.argmin(axis=-1).reshape(query.shape[:3])


def _unit(vectors: Any) -> Any:
    return vectors / ((vectors**2).sum(axis=-1, keepdims=True) ** 0.5).clip(1e-12)


def tables(data: Downstream, found: FewShotResult | None) -> dict[str, pa.Table]:
    """The tables of a set by their suffix, without rows if there is no result.

    One row for the set, with ``n`` episodes of ``ways`` classes, drawn from ``classes`` that have enough images; one
    per episode; one per test image that is a query of some episode: in how many, and in how many it is right.
    """
    schemas = {".parquet": RESULTS, ".episodes.parquet": EPISODES, ".images.parquet": IMAGES}
    if found is None:
        return {suffix: schema.empty_table() for suffix, schema in schemas.items()}
    episodes, rows = len(found.accuracy), np.flatnonzero(found.shown)
    numbers = episodes, found.ways, found.classes, len(data.classes) - found.classes
    values = (data.name, "accuracy", *found.score, found.standard_error, *numbers)
    images = [data.keys[rows].tolist(), data.labels[rows], found.shown[rows], found.correct[rows]]
    columns = {
        ".parquet": [[value] for value in values],
        ".episodes.parquet": [[data.name] * episodes, range(episodes), found.accuracy],
        ".images.parquet": [[data.name] * len(rows), *images],
    }
    return {suffix: pa.table(columns[suffix], schema=schema) for suffix, schema in schemas.items()}
