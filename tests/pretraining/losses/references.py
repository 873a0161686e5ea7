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


def nearest_neighbour(predicted: Sequence[np.ndarray], neighbours: Sequence[np.ndarray], temperature: float) -> float:
    """Dwibedi et al. 2021, with the softmax over neighbours."""
    total = 0.0
    for p, n in ((unit(predicted[0]), unit(neighbours[1])), (unit(predicted[1]), unit(neighbours[0]))):
        for i in range(len(p)):
            powers = [np.exp(p[i] @ n[k] / temperature) for k in range(len(n))]
            total -= np.log(powers[i] / sum(powers)) / len(p)
    return total / 2


def assignment(scores: np.ndarray, epsilon: float, iterations: int) -> np.ndarray:
    """Caron et al. 2020, algorithm of appendix A: Q is prototypes x samples; rows to 1 / K, then columns to 1 / B."""
    q = np.exp(scores / epsilon).T
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(axis=1, keepdims=True) * q.shape[0]
        q /= q.sum(axis=0, keepdims=True) * q.shape[1]
    return (q * q.shape[1]).T


def swapped(scores: Sequence[np.ndarray], assignments: Sequence[np.ndarray], temperature: float) -> float:
    """Caron et al. 2020, eq. 1 and 2, one sample and prototype at a time."""
    total = 0.0
    for z, q in ((scores[0], assignments[1]), (scores[1], assignments[0])):
        for sample, shares in zip(z, q, strict=True):
            below = sum(np.exp(score / temperature) for score in sample)
            total -= sum(
                s * np.log(np.exp(c / temperature) / below) for s, c in zip(shares, sample, strict=True)
            ) / len(z)
    return total / 2
