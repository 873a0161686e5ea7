"""Losses in NumPy, one pair of indices at a time, from the papers' equations."""

from collections.abc import Sequence

import numpy as np


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def sides(number: int, width: int, views: int = 2, seed: int = 0) -> list[np.ndarray]:
    """(number, width) standard normal rows for each of ``views`` views."""
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(number, width)) for _ in range(views)]


def distribution(similarities: np.ndarray, anchor: int) -> np.ndarray:
    """Softmax of one row over all but the anchor itself, which gets 0."""
    powers = np.array([0.0 if j == anchor else np.exp(value) for j, value in enumerate(similarities)])
    return powers / powers.sum()


def soft_target(
    first: np.ndarray, second: np.ndarray, captions: np.ndarray, temperature: float, target_temperature: float
) -> float:
    """Sobal et al. 2024."""
    z, graph = unit(np.concatenate([first, second])), unit(np.concatenate([captions, captions]))
    total = 0.0
    for i in range(len(z)):
        q, s = distribution(z @ z[i] / temperature, i), distribution(graph @ graph[i] / target_temperature, i)
        total -= sum(s[j] * np.log(q[j]) for j in range(len(z)) if j != i)
    return total / len(z)


def multi_positive(
    views: Sequence[np.ndarray], classes: np.ndarray, temperature: float, weights: np.ndarray | None = None
) -> float:
    """Tian et al. 2023, eq. 1 to 3; weights are of pairs."""
    z, label = unit(np.concatenate(views)), np.tile(classes, len(views))
    weight = np.tile(np.ones(len(classes)) if weights is None else weights, len(views))
    total = 0.0
    for i in range(len(z)):
        q = distribution(z @ z[i] / temperature, i)
        positives = [j for j in range(len(z)) if j != i and label[j] == label[i]]
        total -= weight[i] * sum(np.log(q[j]) / len(positives) for j in positives)
    return total / len(z)
