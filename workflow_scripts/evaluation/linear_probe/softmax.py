"""Mean cross entropy of a linear softmax classifier and its gradient, on the full batch."""

from typing import NamedTuple, Protocol

import numpy as np


class CrossEntropy(Protocol):
    """The data term of a linear probe; ``spread`` (d,) is the mean square of each feature."""

    classes: int
    dimension: int
    rows: int
    labels: np.ndarray
    spread: np.ndarray

    def __call__(self, weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Mean over rows of -log softmax(x W' + b)[y], and its gradients (k, d) and (k,), all float64."""
        ...


class NumpyCrossEntropy:
    """Cross entropy in NumPy, in the floating type of the features.

    Args:
        features: (n, d) float32 or float64.
        labels: (n,) int in 0..classes-1.
        classes: number of classes k.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int) -> None:
        self.features, self.labels, self.classes = np.ascontiguousarray(features), labels, classes
        self.rows, self.dimension = features.shape
        self.spread = mean_squares(features)
        self._row = np.arange(self.rows)

    def __call__(self, weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """See :class:`CrossEntropy`."""
        kind = self.features.dtype
        scores = self.features @ weight.T.astype(kind)
        scores += bias.astype(kind)
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[self._row, self.labels]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - own, dtype=np.float64))
        scores /= total
        scores[self._row, self.labels] -= 1
        scores /= self.rows
        weight_gradient = scores.T @ self.features
        return loss, weight_gradient.astype(np.float64), scores.sum(axis=0, dtype=np.float64)


def mean_squares(features: np.ndarray) -> np.ndarray:
    """Mean square of each column of ``features`` (n, d): (d,) float64."""
    return np.asarray(np.einsum("ij,ij->j", features, features, dtype=np.float64) / len(features))


class Basis(NamedTuple):
    """Principal axes of a set of features: mean (d,) and rotation (d, d), orthogonal, in the features' type."""

    mean: np.ndarray
    rotation: np.ndarray

    def turned(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) centred and turned to the axes."""
        return np.asarray((features - self.mean) @ self.rotation)


def principal_basis(features: np.ndarray) -> Basis:
    """Basis of ``features`` (n, d).

    A linear classifier with a free bias is the same before and after centring and turning, and so is the norm of its
    weights: nothing but the optimiser's view of the problem changes.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    return Basis(mean.astype(features.dtype), axes.astype(features.dtype))
