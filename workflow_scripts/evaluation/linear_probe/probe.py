"""Linear probe of frozen features: C chosen only on validation, refitted on train + val, tested once.

Features are used unscaled, as in the original's and CLIP's evaluation; ``standardise`` (off) scales them by the mean
and deviation of the rows that a head is fitted on.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.accuracy import Resampling, average, with_interval
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.c_search import Validation, sweep
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.linear_probe.objectives import OBJECTIVES
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
    fitter = _fitter(data, train, objective, plan)

    def score(cost: float) -> Validation:
        return validation(fitter(cost), data.features[val], data.labels[val], data.metric)

    cost = sweep(score, plan.costs, plan.fine_points)
    head = _fitter(data, data.rows("train", "val"), objective, plan)(cost)
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


def _fitter(data: Downstream, rows: np.ndarray, objective: str, plan: Plan) -> Callable[[float], FittedHead]:
    # In float32, rounding stalls the line search long before the gradient is small.
    features, labels = data.features[rows].astype(np.float64), data.labels[rows]
    dimension = features.shape[1]
    mean, std = np.zeros(dimension), np.ones(dimension)
    if plan.standardise:
        mean, std = features.mean(axis=0), features.std(axis=0)
        std[std == 0] = 1
        features = (features - mean) / std
    present, compact = np.unique(labels, return_inverse=True)
    basis = principal_basis(features)
    problem = _cross_entropy(basis.turned(features), compact, len(present), plan.device)

    def fitted(cost: float) -> FittedHead:
        found = OBJECTIVES[objective](problem, cost, plan.max_iter, plan.tolerance)
        weight = np.zeros((len(data.classes), dimension), np.float32)
        bias = np.full(len(data.classes), -np.inf, np.float32)
        weight[present] = found.weight @ basis.rotation.T
        bias[present] = found.bias - weight[present] @ basis.mean
        return FittedHead(weight, bias, mean.astype(np.float32), std.astype(np.float32))

    return fitted


def _cross_entropy(features: np.ndarray, labels: np.ndarray, classes: int, device: str) -> CrossEntropy:
    if device == "cpu":
        return NumpyCrossEntropy(features, labels, classes)
    # Importing torch costs more than fitting a small probe; only a GPU needs it.
    from workflow_scripts.evaluation.linear_probe.softmax_torch import TorchCrossEntropy

    return TorchCrossEntropy(features, labels, classes, device)
