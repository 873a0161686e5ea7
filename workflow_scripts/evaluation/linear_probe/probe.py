"""Linear probe of frozen features: C chosen only on validation, refitted on train + val, tested once.

Features are used unscaled, as in the original's and CLIP's evaluation; ``standardise`` (off) scales them by the mean
and deviation of the rows that a head is fitted on.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.accuracy import Resampling, average, with_interval
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.c_search import Validation, sweep
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.linear_probe.objectives import OBJECTIVES, Head, Search, origin
from workflow_scripts.evaluation.linear_probe.softmax import CrossEntropy, NumpyCrossEntropy, principal_basis
from workflow_scripts.stats.intervals import Interval


class Plan(NamedTuple):
    """How probes are fitted and scored: see the settings of ``linear_probe`` for each field."""

    costs: tuple[float, ...]
    fine_points: int
    max_iter: int
    tolerance: float
    standardise: bool
    resampling: Resampling
    device: str


class ProbeResult(NamedTuple):
    """A tested probe: its head, cost, test predictions (rows of the test split, in order) and test score."""

    head: FittedHead
    cost: float
    predicted: np.ndarray
    score: Interval


def probe(data: Downstream, objective: str, plan: Plan) -> ProbeResult:
    """Fit and test one probe on one set.

    Raises:
        PipelineError: a split is empty.
    """
    train, val, test = data.rows("train"), data.rows("val"), data.rows("test")
    for split, rows in (("train", train), ("val", val), ("test", test)):
        if not len(rows):
            advice = "give the dataset more images or another val_fraction"
            raise PipelineError("empty split", f"dataset {data.name}", split, advice)
    fitter = Fitter(data, train, objective, plan, {})

    def score(cost: float) -> Validation:
        return validation(fitter(cost), data.features[val], data.labels[val], data.metric)

    cost = sweep(score, plan.costs, plan.fine_points)
    head = Fitter(data, data.rows("train", "val"), objective, plan, fitter.known)(cost)
    predicted = head.predict(data.features[test])
    return ProbeResult(head, cost, predicted, with_interval(predicted, data, plan.resampling))


def validation(head: FittedHead, features: np.ndarray, labels: np.ndarray, metric: str) -> Validation:
    """Accuracy and mean negative log probability of the labels (n,), both averaged as ``metric`` says.

    The log-loss ignores rows whose class the head never saw: they cost the same, an infinite loss, at every C.
    """
    scores = head.scores(features).astype(np.float64)
    accuracy = average(scores.argmax(axis=1) == labels, labels, metric)
    seen = np.isfinite(head.bias[labels])
    if not seen.any():
        return Validation(accuracy, 0.0)
    own = scores[np.flatnonzero(seen), labels[seen]]
    return Validation(accuracy, average(logsumexp(scores[seen], axis=1) - own, labels[seen], metric))


class Fitter:
    """Fits heads for several costs to the same rows of a set.

    Each search starts from the known head whose cost is nearest on a log scale, which is usually close: that changes
    how many steps lead to the minimum. It changes only within ``tolerance``, unless ``max_iter`` ends the search.

    Args:
        known: heads of the same features by cost, from which searches can start.
    """

    def __init__(
        self, data: Downstream, rows: np.ndarray, objective: str, plan: Plan, known: Mapping[float, FittedHead]
    ) -> None:
        # In float32, rounding stalls the line search long before the gradient is small.
        features, labels = data.features[rows].astype(np.float64), data.labels[rows]
        dimension = features.shape[1]
        self.known, self._objective, self._plan, self._classes = dict(known), objective, plan, len(data.classes)
        self._mean, self._std = np.zeros(dimension), np.ones(dimension)
        if plan.standardise:
            self._mean, self._std = features.mean(axis=0), features.std(axis=0)
            self._std[self._std == 0] = 1
            features = (features - self._mean) / self._std
        self._present, compact = np.unique(labels, return_inverse=True)
        self._basis = principal_basis(features)
        self._problem = _cross_entropy(self._basis.turned(features), compact, len(self._present), plan.device)

    def __call__(self, cost: float) -> FittedHead:
        """The head for ``cost``."""
        search = Search(self._start(cost), self._plan.max_iter, self._plan.tolerance)
        found = OBJECTIVES[self._objective](self._problem, cost, search)
        weight = np.zeros((self._classes, self._problem.dimension), np.float32)
        bias = np.full(self._classes, -np.inf, np.float32)
        weight[self._present] = found.weight @ self._basis.rotation.T
        bias[self._present] = found.bias - weight[self._present] @ self._basis.mean
        self.known[cost] = FittedHead(weight, bias, self._mean.astype(np.float32), self._std.astype(np.float32))
        return self.known[cost]

    def _start(self, cost: float) -> Head:
        if not self.known:
            return origin(self._problem)
        near = self.known[min(self.known, key=lambda other: (abs(np.log(other / cost)), other))]
        weight, bias = near.weight[self._present].astype(np.float64), near.bias[self._present].astype(np.float64)
        bias = np.where(np.isfinite(bias), bias + weight @ self._basis.mean, 0.0)
        return Head(weight @ self._basis.rotation, bias)


def _cross_entropy(features: np.ndarray, labels: np.ndarray, classes: int, device: str) -> CrossEntropy:
    if device == "cpu":
        return NumpyCrossEntropy(features, labels, classes)
    # Importing torch costs more than fitting a small probe; only a GPU needs it.
    from workflow_scripts.evaluation.linear_probe.softmax_torch import TorchCrossEntropy

    return TorchCrossEntropy(features, labels, classes, device)
