"""Few-shot episodes: which classes and images, drawn by a separate seed, so that all runs use the same ones."""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.stats.seeds import derive


@dataclass(frozen=True)
class Pools:
    """Row numbers by class of the eligible classes of a set; ``support`` and ``query`` are lists of (n_c,) int64."""

    labels: np.ndarray
    support: list[np.ndarray]
    query: list[np.ndarray]


def eligible(labels: np.ndarray, support_rows: np.ndarray, query_rows: np.ndarray, shots: int, queries: int) -> Pools:
    """Classes with at least ``shots`` support rows and ``queries`` query rows, by ascending label."""
    kept, support, query = [], [], []
    for label in np.unique(labels):
        mine, theirs = support_rows[labels[support_rows] == label], query_rows[labels[query_rows] == label]
        if len(mine) >= shots and len(theirs) >= queries:
            kept.append(label)
            support.append(mine)
            query.append(theirs)
    return Pools(np.array(kept), support, query)


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
    pools: Pools, uniform: np.ndarray, ways: int, shots: int, queries: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each episode's images.

    Args:
        pools: the eligible classes.
        uniform: (e, ways (1 + shots + queries)) from :func:`uniforms`.

    Returns:
        Support (e, ways, shots) and query (e, ways, queries) row numbers; the second axis is the episode's class.
    """
    episodes = len(uniform)
    chosen = draw_distinct(uniform[:, :ways], np.full(episodes, len(pools.labels)))
    rest = uniform[:, ways:].reshape(episodes, ways, shots + queries)
    support = _rows(pools.support, chosen, rest[..., :shots])
    return support, _rows(pools.query, chosen, rest[..., shots:])


def _rows(pool: list[np.ndarray], chosen: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    sizes = np.array([len(one) for one in pool])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    positions = draw_distinct(uniform, sizes[chosen])
    return np.concatenate(pool)[starts[chosen][..., None] + positions]
