"""The two objectives of a linear probe, minimised by L-BFGS on the full batch.

``sklearn``: sum of cross entropies + ||W||^2 / (2 C), as scikit-learn's ``LogisticRegression`` and CLIP's evaluation
(Radford et al. 2021, section A.3). ``lgssl``: mean cross entropy + ||W|| / (2 C), the norm and not its square, as the
code of language-guided SSL (El Banani et al. 2023) computes it. Their C are not comparable: at the same C the first
one's penalty falls with the number of images, and the second one's optimum is W = 0 exactly below a certain C.
The bias is not penalised in either. The mean cross entropy and its gradient are computed on the full batch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

HISTORY = 10
FLAT = 4 * np.finfo(float).eps
"""Change of the loss that is rounding."""
AT_ONCE = 65_536
"""Rows whose scores, or copies, are in memory at once. The sums of a smaller set have one part."""
FLOOR = 1e-6
"""Floor of a feature's mean square, as a share of the largest, so that rounding noise is not amplified."""


class CrossEntropy:
    """The data term of a linear probe, in NumPy, in the floating type of the features.

    Args:
        features: (n, d) float32 or float64.
        labels: (n,) int in 0..classes-1.
        classes: number of classes k.

    Attributes:
        spread: (d,) float64, the mean square of each feature.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int) -> None:
        self.features: Any = np.ascontiguousarray(features)
        self.labels, self.classes = labels, classes
        self.rows, self.dimension = features.shape
        self.spread = mean_squares(features)

    def __call__(self, weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Mean over rows of -log softmax(x W' + b)[y], and its gradients (k, d) and (k,), all float64."""
        kind = self.features.dtype
        columns, offsets = weight.T.astype(kind), bias.astype(kind)
        found = [self._sums(part, columns, offsets) for part in parts(self.rows)]
        loss, weight_gradient, bias_gradient = (sum(rest, first) for first, *rest in zip(*found, strict=True))
        return float(loss / self.rows), weight_gradient.astype(np.float64), bias_gradient

    def _sums(self, part: slice, columns: np.ndarray, offsets: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        features, labels = self.features[part], self.labels[part]
        row = np.arange(len(labels))
        scores = features @ columns
        scores += offsets
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[row, labels]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = np.sum(np.log(total[:, 0]) - own, dtype=np.float64)
        scores /= total
        scores[row, labels] -= 1
        scores /= self.rows
        return loss, scores.T @ features, scores.sum(axis=0, dtype=np.float64)


def parts(rows: int) -> list[slice]:
    """Parts of :data:`AT_ONCE` rows."""
    return [slice(start, start + AT_ONCE) for start in range(0, rows, AT_ONCE)]


def mean_squares(features: np.ndarray) -> np.ndarray:
    """Mean square of each column of ``features`` (n, d): (d,) float64."""
    return np.asarray(np.einsum("ij,ij->j", features, features, dtype=np.float64) / len(features))


class Basis(NamedTuple):
    """Principal axes of a set of features: mean (d,) and rotation (d, d), orthogonal, float64."""

    mean: np.ndarray
    rotation: np.ndarray

    def turned(self, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The ``rows`` of features (n, d), centred and turned to the axes."""
        found = np.empty((len(rows), features.shape[1]), self.mean.dtype)
        for part in parts(len(rows)):
            found[part] = (features[rows[part]] - self.mean) @ self.rotation
        return found


def principal_basis(features: np.ndarray, rows: np.ndarray) -> Basis:
    """Basis of the ``rows`` of features (n, d), in float64.

    In float32, rounding stalls the line search long before the gradient is small. A linear classifier with a free bias
    is the same before and after centring and turning, and so is the norm of its weights: nothing but the optimiser's
    view of the problem changes.
    """
    mean = np.asarray(sum(features[rows[part]].astype(np.float64).sum(axis=0) for part in parts(len(rows))) / len(rows))
    products = np.zeros((features.shape[1],) * 2)
    for part in parts(len(rows)):
        centred = features[rows[part]] - mean
        products += centred.T @ centred
    return Basis(mean, np.linalg.eigh(products)[1])


class TorchCrossEntropy(CrossEntropy):
    """The same with the features kept on ``device``; only weights are transferred."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, device: str) -> None:
        import torch  # costs more than fitting a small probe; only a GPU needs it

        super().__init__(features, labels, classes)
        self.features = torch.from_numpy(self.features).to(device)
        self.targets = torch.from_numpy(labels.astype(np.int64)).to(device)

    def __call__(self, weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """See :class:`CrossEntropy`."""
        import torch

        weights, offsets = (torch.from_numpy(part).to(self.features) for part in (weight, bias))
        found, loss = torch.zeros_like(weights), torch.zeros_like(offsets[0])
        bias_gradient = torch.zeros_like(offsets)
        for part in parts(self.rows):
            features, targets = self.features[part], self.targets[part]
            logs = torch.log_softmax(torch.addmm(offsets, features, weights.T), dim=1)
            loss += torch.nn.functional.nll_loss(logs, targets, reduction="sum")
            slope = logs.exp_()
            slope[torch.arange(len(targets), device=slope.device), targets] -= 1
            found += slope.T @ features
            bias_gradient += slope.sum(dim=0)
        loss, *gradients = (sums.double().div(self.rows).cpu() for sums in (loss, found, bias_gradient))
        return float(loss), gradients[0].numpy(), gradients[1].numpy()


class Head(NamedTuple):
    """A linear classifier: weight (k, d) and bias (k,), float64."""

    weight: np.ndarray
    bias: np.ndarray


class Search(NamedTuple):
    """Where a minimisation starts, and when it ends: after ``max_iter`` steps, or at a gradient below ``tolerance``."""

    start: Head
    max_iter: int
    tolerance: float


def fit_sklearn(data: CrossEntropy, cost: float, search: Search) -> Head:
    """Minimise sum CE + ||W||^2 / (2 cost), divided by the number of rows (which moves no minimum).

    With two classes scikit-learn fits one vector w where a softmax has two rows +-w/2; at half the cost both have the
    same minimum, so that is what is used.
    """
    if data.classes == 1:  # certain with any head; the penalty leaves 0
        return origin(data)
    strength = 1 / (cost / 2 if data.classes == 2 else cost) / data.rows

    def penalty(weight: np.ndarray) -> tuple[float, np.ndarray]:
        return strength / 2 * float(np.vdot(weight, weight)), strength * weight

    return _minimise(penalty, data, strength, search)


def fit_lgssl(data: CrossEntropy, cost: float, search: Search) -> Head:
    """Minimise mean CE + ||W|| / (2 cost).

    The norm has no gradient at W = 0. There, with the best bias (log class shares), W = 0 is the minimum if and only
    if the gradient of the mean CE is not longer than 1 / (2 cost); that case is solved without iterating.
    """
    strength = 0.5 / cost
    shares = np.bincount(data.labels, minlength=data.classes) / data.rows
    best_bias = np.log(shares)
    best_bias -= best_bias.mean()
    zero = np.zeros((data.classes, data.dimension))
    if np.linalg.norm(data(zero, best_bias)[1]) <= strength:
        return Head(zero, best_bias)

    def penalty(weight: np.ndarray) -> tuple[float, np.ndarray]:
        norm = float(np.linalg.norm(weight))
        return strength * norm, strength / norm * weight if norm > 0 else weight

    return _minimise(penalty, data, strength, search)


OBJECTIVES: dict[str, Callable[[CrossEntropy, float, Search], Head]] = {"sklearn": fit_sklearn, "lgssl": fit_lgssl}


def _minimise(
    penalty: Callable[[np.ndarray], tuple[float, np.ndarray]], data: CrossEntropy, strength: float, search: Search
) -> Head:
    """L-BFGS on the data term and a penalty with its gradient, in coordinates scaled by their curvature at zero.

    There, a weight of feature j has the second derivative (1 - 1/k) / k mean(x_j^2) + strength. The scaling changes
    no minimum, only how many steps lead to it: features of a network differ in scale by orders of magnitude.
    """
    curvature = (1 - 1 / data.classes) / data.classes
    spread = data.spread + FLOOR * data.spread.max(initial=1e-12)
    of_weights = np.tile(1 / np.sqrt(curvature * spread + strength), (data.classes, 1))
    scale = _pack(of_weights, np.full(data.classes, 1 / np.sqrt(curvature)))
    steepest = np.inf

    def scaled(flat: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal steepest
        weight, bias = _unpack(flat * scale, data)
        (loss, weight_gradient, bias_gradient), (added, slope) = data(weight, bias), penalty(weight)
        loss, gradient = loss + added, _pack(weight_gradient + slope, bias_gradient) * scale
        steepest = float(np.abs(gradient).max()) / loss
        return loss, gradient

    def stop(intermediate_result: OptimizeResult) -> None:
        # The point of an iteration is the last one that was evaluated.
        if steepest <= search.tolerance:
            raise StopIteration

    # The search must end by the gradient, not by the change of the loss, which is tiny on flat objectives; and by the
    # gradient relative to the loss, which is itself tiny where a large C separates the classes.
    options = {"maxiter": search.max_iter, "maxfun": np.inf, "maxcor": HISTORY, "gtol": 0, "ftol": FLAT}
    # At the minimum each feature's weights add up to 0. A small penalty alone would take many steps to that sum.
    start = _pack(search.start.weight - search.start.weight.mean(axis=0), search.start.bias) / scale
    found = minimize(scaled, start, jac=True, method="L-BFGS-B", callback=stop, options=options)
    return Head(*_unpack(found.x * scale, data))


def origin(data: CrossEntropy) -> Head:
    """The head of zeros, from which a search starts if no better point is known."""
    return Head(np.zeros((data.classes, data.dimension)), np.zeros(data.classes))


def _unpack(flat: np.ndarray, data: CrossEntropy) -> tuple[np.ndarray, np.ndarray]:
    cut = data.classes * data.dimension
    return flat[:cut].reshape(data.classes, data.dimension), flat[cut:]


def _pack(weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.concatenate([weight.ravel(), bias])
