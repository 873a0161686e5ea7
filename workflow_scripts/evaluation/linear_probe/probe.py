"""Linear probe of frozen features: C chosen without the test split, refitted on train + val, tested once.

C is chosen on the validation split, or by folds over train + val where that split is small: on a few hundred images,
many values of C differ by chance alone. Features are used unscaled, as in the original's and CLIP's evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import logsumexp

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream, average, hits_table, with_interval
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.linear_probe.objectives import (
    OBJECTIVES,
    CrossEntropy,
    Head,
    Search,
    TorchCrossEntropy,
    origin,
    principal_basis,
)
from workflow_scripts.evaluation.linear_probe.settings import LinearProbe, Objective
from workflow_scripts.stats.intervals import Interval
from workflow_scripts.stats.seeds import derive

DECADES = 2.0
TOLERANCE = 5e-5
"""A search ends when the largest entry of the gradient, scaled by the curvature at zero, is below this share of the
objective, which is then within about 1e-6 of its minimum."""
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "objective", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
        *[(name, pa.float64()) for name in ("best_c", "common_c", "value_at_common_c")],
    ]
)
Heads = dict[float, FittedHead]
"""Heads of the same features by cost."""


class Validation(NamedTuple):
    """How well a cost does on images that its heads were not fitted to.

    Few images give many costs the same accuracy, down to one whose probe predicts a single class; the log-loss tells
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


class ProbeResult(NamedTuple):
    """A tested probe.

    Attributes:
        predicted: classes of the rows of the test split, in order.
        score: on the test split.
        common: the cost that all runs have in common, and the test score of the head for it.
    """

    head: FittedHead
    cost: float
    predicted: np.ndarray
    score: Interval
    common: tuple[float, float]


def probe(data: Downstream, objective: Objective, settings: LinearProbe, device: str) -> ProbeResult:
    """Fit and test one probe on one set.

    Raises:
        PipelineError: the validation split is empty.
    """
    if not len(data.rows("val")):
        advice = "give the dataset more images or another val_fraction"
        raise PipelineError("empty split", f"dataset {data.name}", "val", advice)
    cost, known = _chosen(data, objective, settings, device)
    refit = Fitter(data, data.rows("train", "val"), objective, settings.max_iter, known, device)
    common = settings.common_costs[objective]
    features, labels = data.features[data.rows("test")], data.labels[data.rows("test")]
    head = refit(cost)
    predicted = head.predict(features)
    at_common = common, average(refit(common).predict(features) == labels, labels, data.metric)
    return ProbeResult(head, cost, predicted, with_interval(predicted, data, settings, settings.seed), at_common)


def _chosen(data: Downstream, objective: Objective, settings: LinearProbe, device: str) -> tuple[float, Heads]:
    """The cost that does best on held-out images, and heads from which other searches can start.

    The fitters' copies of the features are larger than the one of train and val, so they must not exist beside it.
    """
    known: Heads = {}
    fitted = data.rows("train", "val")
    fitters = [
        (Fitter(data, np.setdiff1d(fitted, rows), objective, settings.max_iter, known, device), rows)
        for rows in held_out(data, settings)
    ]

    def score(cost: float) -> Validation:
        heads = [(fitter(cost), rows) for fitter, rows in fitters]
        return validation([(head, data.features[rows], data.labels[rows]) for head, rows in heads], data.metric)

    return sweep(score, settings.costs, settings.fine_points), known


def held_out(data: Downstream, settings: LinearProbe) -> list[np.ndarray]:
    """Rows of train + val that are held out to choose the cost, part by part; heads are fitted to all others.

    That is the validation split or, if it has fewer than ``least_validation`` images, each of ``folds`` random
    parts of train + val. Each class is spread over the parts evenly. They are the same for every run.
    """
    rows, val = data.rows("train", "val"), data.rows("val")
    if len(val) >= settings.least_validation:
        return [val]
    shuffled = np.random.default_rng(derive(settings.seed, "folds", data.name)).permutation(len(rows))
    part = np.empty(len(rows), np.int64)
    part[np.lexsort([shuffled, data.labels[rows]])] = np.arange(len(rows)) % min(settings.folds, len(rows))
    return [rows[part == number] for number in range(part.max() + 1)]


def validation(parts: Sequence[tuple[FittedHead, np.ndarray, np.ndarray]], metric: str) -> Validation:
    """Accuracy and mean negative log probability of the labels, both averaged as ``metric`` says.

    The log-loss ignores rows whose class the head never saw: they cost the same, an infinite loss, at every C.

    Args:
        parts: heads, each with the features (n, d) and labels (n,) of rows that it was not fitted to.
    """
    scores = np.concatenate([head.scores(features) for head, features, _ in parts]).astype(np.float64)
    labels = np.concatenate([labels for *_, labels in parts])
    accuracy = average(scores.argmax(axis=1) == labels, labels, metric)
    seen = np.concatenate([np.isfinite(head.bias[labels]) for head, _, labels in parts])
    if not seen.any():
        return Validation(accuracy, 0.0)
    own = scores[np.flatnonzero(seen), labels[seen]]
    return Validation(accuracy, average(logsumexp(scores[seen], axis=1) - own, labels[seen], metric))


class Fitter:
    """Fits heads for several costs to the same rows of a set.

    Each search starts from the known head whose cost is nearest on a log scale, which is usually close: that changes
    how many steps lead to the minimum. It changes only within the tolerance, unless ``max_iter`` ends the search.

    Args:
        known: heads of the same features by cost, from which searches can start; those that are fitted are added.
    """

    def __init__(
        self, data: Downstream, rows: np.ndarray, objective: Objective, max_iter: int, known: Heads, device: str
    ) -> None:
        labels = data.labels[rows]
        self.known, self._objective, self._max_iter, self._classes = known, objective, max_iter, len(data.classes)
        self._present, compact = np.unique(labels, return_inverse=True)
        self._basis = principal_basis(data.features, rows)
        problem = self._basis.turned(data.features, rows), compact, len(self._present)
        self._problem = CrossEntropy(*problem) if device == "cpu" else TorchCrossEntropy(*problem, device)

    def __call__(self, cost: float) -> FittedHead:
        """The head for ``cost``."""
        search = Search(self._start(cost), self._max_iter, TOLERANCE)
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


def results_table(data: Downstream, results: Mapping[Objective, ProbeResult]) -> pa.Table:
    """One row per objective, with the columns of :data:`RESULTS`; n is the number of test images."""
    rows = [
        (data.name, objective, data.metric, *found.score, len(found.predicted), found.cost, *found.common)
        for objective, found in results.items()
    ]
    return pa.table(list(zip(*rows, strict=True)), schema=RESULTS)


def predictions_table(data: Downstream, results: Mapping[Objective, ProbeResult]) -> pa.Table:
    """One row per objective and test image: dataset, objective, key, label, predicted, correct."""
    return pa.concat_tables(
        hits_table(data, found.predicted).add_column(1, "objective", [[objective] * len(found.predicted)])
        for objective, found in results.items()
    )
