"""The two objectives of a linear probe, minimised by L-BFGS on the full batch.

``sklearn``: sum of cross entropies + ||W||^2 / (2 C), as scikit-learn's ``LogisticRegression`` and CLIP's evaluation
(Radford et al. 2021, section A.3). ``lgssl``: mean cross entropy + ||W|| / (2 C), the norm and not its square, as the
code of language-guided SSL (El Banani et al. 2023) computes it. Their C are not comparable: at the same C the first
one's penalty falls with the number of images, and the second one's optimum is W = 0 exactly below a certain C.
The bias is not penalised in either.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from workflow_scripts.evaluation.linear_probe.softmax import CrossEntropy

HISTORY = 10
FLOOR = 1e-6
"""Floor of a feature's mean square, as a share of the largest, so that rounding noise is not amplified."""


class Head(NamedTuple):
    """A linear classifier: weight (k, d) and bias (k,), float64."""

    weight: np.ndarray
    bias: np.ndarray


def fit_sklearn(data: CrossEntropy, cost: float, max_iter: int, tolerance: float) -> Head:
    """Minimise sum CE + ||W||^2 / (2 cost), divided by the number of rows (which moves no minimum).

    With two classes scikit-learn fits one vector w where a softmax has two rows +-w/2; at half the cost both have the
    same minimum, so that is what is used.
    """
    strength = 1 / (cost / 2 if data.classes == 2 else cost) / data.rows

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = _unpack(flat, data)
        loss, weight_gradient, bias_gradient = data(weight, bias)
        weight_gradient += strength * weight
        return loss + strength / 2 * float(np.vdot(weight, weight)), _pack(weight_gradient, bias_gradient)

    return _minimise(objective, data, strength, max_iter, tolerance)


def fit_lgssl(data: CrossEntropy, cost: float, max_iter: int, tolerance: float) -> Head:
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

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = _unpack(flat, data)
        loss, weight_gradient, bias_gradient = data(weight, bias)
        norm = float(np.linalg.norm(weight))
        if norm > 0:
            weight_gradient += strength / norm * weight
        return loss + strength * norm, _pack(weight_gradient, bias_gradient)

    return _minimise(objective, data, strength, max_iter, tolerance)


OBJECTIVES: dict[str, Callable[[CrossEntropy, float, int, float], Head]] = {
    "sklearn": fit_sklearn,
    "lgssl": fit_lgssl,
}


def _minimise(
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]],
    data: CrossEntropy,
    strength: float,
    max_iter: int,
    tolerance: float,
) -> Head:
    """L-BFGS from zero, in coordinates scaled by the objective's curvature at zero.

    There, a weight of feature j has the second derivative (1 - 1/k) / k mean(x_j^2) + strength. The scaling changes
    no minimum, only how many steps lead to it: features of a network differ in scale by orders of magnitude.
    """
    curvature = (1 - 1 / data.classes) / data.classes
    spread = data.spread + FLOOR * data.spread.max(initial=1e-12)
    scale = _pack(
        np.tile(1 / np.sqrt(curvature * spread + strength), (data.classes, 1)),
        np.full(data.classes, 1 / np.sqrt(curvature)),
    )

    def scaled(flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = objective(flat * scale)
        return loss, gradient * scale

    # The search must end by the gradient, not by the change of the loss, which is tiny on flat objectives.
    options = {"maxiter": max_iter, "maxcor": HISTORY, "gtol": tolerance, "ftol": 64 * np.finfo(float).eps}
    found = minimize(scaled, np.zeros(len(scale)), jac=True, method="L-BFGS-B", options=options)
    return Head(*_unpack(found.x * scale, data))


def _unpack(flat: np.ndarray, data: CrossEntropy) -> tuple[np.ndarray, np.ndarray]:
    cut = data.classes * data.dimension
    return flat[:cut].reshape(data.classes, data.dimension), flat[cut:]


def _pack(weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.concatenate([weight.ravel(), bias])
