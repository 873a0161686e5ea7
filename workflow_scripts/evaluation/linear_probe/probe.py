"""Linear probe of frozen features: C chosen only on validation, refitted on train + val, tested once.

Features are used unscaled, as in the original's and CLIP's evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import logsumexp

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream, Resampling, average, hits_table, with_interval
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.linear_probe.objectives import (
    OBJECTIVES,
    CrossEntropy,
    Head,
    NumpyCrossEntropy,
    Search,
    TorchCrossEntropy,
    origin,
    principal_basis,
)
from workflow_scripts.stats.intervals import Interval

DECADES = 2.0
TOLERANCE = 5e-5
"""A search ends when the largest entry of the gradient, scaled by the curvature at zero, is below this share of the
objective, which is then within about 1e-6 of its minimum."""
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "objective", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
        ("best_c", pa.float64()),
    ]
)
Probed = tuple[Downstream, str, "ProbeResult"]


class Validation(NamedTuple):
    """How well a cost does on the validation split.

    Small splits give many costs the same accuracy, down to one whose probe predicts a single class; the log-loss tells
    such costs apart.
    """

    accuracy: float
    log_loss: float


def sweep(score: Callable[[float], Validation], coarse: Sequence[float], fine_points: int) -> float:
    """The cost with the highest accuracy; on ties that with the lowest log-loss, then the smallest cost.

    Args:
        score: validation scores of a cost; called once per cost.
        coarse: first grid (CLIP: 1e-6 ... 1e6, every second decade).
        fine_points: points of the second grid, which spans two decades on each side of the best coarse cost and stays
            inside the coarse grid's ends; of these about 2 log2(fine_points) are tried.
    """
    scores = {float(cost): score(float(cost)) for cost in coarse}
    centre = np.log10(_best(scores))
    grid = np.logspace(centre - DECADES, centre + DECADES, fine_points)
    grid = grid[(grid >= min(coarse) * (1 - 1e-9)) & (grid <= max(coarse) * (1 + 1e-9))]
    low, high = 0, len(grid) - 1
    while high > low:
        middle = (low + high) // 2
        left, right = (low + middle) // 2, (middle + high + 1) // 2
        tried = {position: float(grid[position]) for position in (left, middle, right)}
        for cost in tried.values():
            if cost not in scores:
                scores[cost] = score(cost)
        best = _best({cost: scores[cost] for cost in tried.values()})
        width = high - low
        if best == tried[middle]:
            low, high = left, right
        elif best == tried[left]:
            high = middle
        else:
            low = middle
        if high - low == width:
            break
    return _best(scores)


def _best(scores: dict[float, Validation]) -> float:
    return min(scores, key=lambda cost: (-scores[cost].accuracy, scores[cost].log_loss, cost))


class Plan(NamedTuple):
    """How probes are fitted and scored: see the settings of ``linear_probe`` for each field."""

    costs: tuple[float, ...]
    fine_points: int
    max_iter: int
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
    cost, known = _chosen(data, objective, plan)
    head = Fitter(data, data.rows("train", "val"), objective, plan, known)(cost)
    predicted = head.predict(data.features[test])
    return ProbeResult(head, cost, predicted, with_interval(predicted, data, plan.resampling))


def _chosen(data: Downstream, objective: str, plan: Plan) -> tuple[float, dict[float, FittedHead]]:
    """The cost that the validation split prefers, and the heads that were fitted to the training split.

    The fitter's copy of the features is nearly as large as the one of train and val, so both must not exist at once.
    """
    fitter, val = Fitter(data, data.rows("train"), objective, plan, {}), data.rows("val")

    def score(cost: float) -> Validation:
        return validation(fitter(cost), data.features[val], data.labels[val], data.metric)

    return sweep(score, plan.costs, plan.fine_points), fitter.known


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
    how many steps lead to the minimum. It changes only within the tolerance, unless ``max_iter`` ends the search.

    Args:
        known: heads of the same features by cost, from which searches can start.
    """

    def __init__(
        self, data: Downstream, rows: np.ndarray, objective: str, plan: Plan, known: Mapping[float, FittedHead]
    ) -> None:
        labels = data.labels[rows]
        self.known, self._objective, self._plan, self._classes = dict(known), objective, plan, len(data.classes)
        self._present, compact = np.unique(labels, return_inverse=True)
        self._basis = principal_basis(data.features, rows)
        turned, classes = self._basis.turned(data.features, rows), len(self._present)
        self._problem: CrossEntropy
        if plan.device == "cpu":
            self._problem = NumpyCrossEntropy(turned, compact, classes)
        else:
            self._problem = TorchCrossEntropy(turned, compact, classes, plan.device)

    def __call__(self, cost: float) -> FittedHead:
        """The head for ``cost``."""
        search = Search(self._start(cost), self._plan.max_iter, TOLERANCE)
        found = OBJECTIVES[self._objective](self._problem, cost, search)
        weight = np.zeros((self._classes, self._problem.dimension), np.float32)
        bias = np.full(self._classes, -np.inf, np.float32)
        weight[self._present] = found.weight @ self._basis.rotation.T
        bias[self._present] = found.bias - weight[self._present] @ self._basis.mean
        self.known[cost] = FittedHead(weight, bias, np.zeros_like(weight[0]), np.ones_like(weight[0]))
        return self.known[cost]

    def _start(self, cost: float) -> Head:
        if not self.known:
            return origin(self._problem)
        near = self.known[min(self.known, key=lambda other: (abs(np.log(other / cost)), other))]
        weight, bias = near.weight[self._present].astype(np.float64), near.bias[self._present].astype(np.float64)
        bias = np.where(np.isfinite(bias), bias + weight @ self._basis.mean, 0.0)
        return Head(weight @ self._basis.rotation, bias)


def results_table(results: Sequence[Probed]) -> pa.Table:
    """One row per set and objective: dataset, objective, metric, value, low, high, n (test images), best_c."""
    rows = [
        (data.name, objective, data.metric, *found.score, len(found.predicted), found.cost)
        for data, objective, found in results
    ]
    return pa.table(list(zip(*rows, strict=True)), schema=RESULTS)


def predictions_table(results: Sequence[Probed]) -> pa.Table:
    """One row per set, objective and test image: dataset, objective, key, label, predicted, correct."""
    parts = [
        hits_table(data, found.predicted).add_column(1, "objective", [[objective] * len(found.predicted)])
        for data, objective, found in results
    ]
    return pa.concat_tables(parts)
