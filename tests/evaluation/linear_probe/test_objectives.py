from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from workflow_scripts.evaluation.linear_probe import objectives
from workflow_scripts.evaluation.linear_probe.objectives import (
    CrossEntropy,
    Head,
    Search,
    TorchCrossEntropy,
    fit_lgssl,
    fit_sklearn,
    mean_squares,
    origin,
    principal_basis,
)

Fit = Callable[[CrossEntropy, float, Search], Head]


def problem(classes: int, n: int = 90, d: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, n)
    return rng.normal(size=(n, d)) + rng.normal(size=(classes, d))[labels], labels


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("cost", [1e-3, 0.1, 10.0])
def test_coefficients_equal_scikit_learn(classes: int, cost: float) -> None:
    features, labels = problem(classes)
    data = CrossEntropy(features, labels, classes)
    ours = fit_sklearn(data, cost, Search(origin(data), 5000, 1e-9))
    theirs = LogisticRegression(C=cost, tol=1e-10, max_iter=10000).fit(features, labels)
    if classes == 2:
        assert ours.weight[1] - ours.weight[0] == pytest.approx(theirs.coef_[0], abs=1e-5)
        assert ours.bias[1] - ours.bias[0] == pytest.approx(theirs.intercept_[0], abs=1e-5)
    else:
        assert ours.weight == pytest.approx(theirs.coef_, abs=1e-5)
        assert ours.bias - ours.bias.mean() == pytest.approx(theirs.intercept_ - theirs.intercept_.mean(), abs=1e-5)


def proximal_gradient(features: np.ndarray, labels: np.ndarray, classes: int, cost: float) -> np.ndarray:
    """Minimise mean CE + ||W|| / (2 C) by forward-backward steps: the prox of the norm shrinks W as one block."""
    padded = np.column_stack([features, np.ones(len(features))])
    step = 2 * len(features) / np.linalg.norm(padded, 2) ** 2
    weight = np.zeros((classes, padded.shape[1]))
    for _ in range(10000):
        scores = padded @ weight.T
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[np.arange(len(labels)), labels] -= 1
        weight = weight - step * share.T @ padded / len(features)
        norm = np.linalg.norm(weight[:, :-1])
        weight[:, :-1] *= max(0.0, 1 - step / (2 * cost) / norm) if norm else 0.0
    return weight


@pytest.mark.parametrize("cost", [0.5, 2.0, 10.0])
def test_lgssl_minimum_is_that_of_proximal_gradient(cost: float) -> None:
    features, labels = problem(3)
    data = CrossEntropy(features, labels, 3)
    ours = fit_lgssl(data, cost, Search(origin(data), 5000, 1e-9))
    reference = proximal_gradient(features, labels, 3, cost)
    assert ours.weight == pytest.approx(reference[:, :-1], abs=1e-4)
    assert ours.bias - ours.bias.mean() == pytest.approx(reference[:, -1] - reference[:, -1].mean(), abs=1e-4)


def test_lgssl_below_its_threshold_is_zero_with_log_shares() -> None:
    features, labels = problem(3)
    data = CrossEntropy(features, labels, 3)
    shares = np.log(np.bincount(labels) / len(labels))
    slope = np.linalg.norm(data(np.zeros((3, 5)), shares)[1])
    below, above = (fit_lgssl(data, cost, Search(origin(data), 5000, 1e-9)) for cost in (0.49 / slope, 0.52 / slope))
    assert not below.weight.any()
    assert below.bias - below.bias.mean() == pytest.approx(shares - shares.mean())
    assert 0 < np.linalg.norm(above.weight) < 1


def test_the_two_objectives_meet_at_matching_costs() -> None:
    """A minimum W of one is the other's where the penalties' slopes agree: ||W|| / (C n) = 1 / (2 C')."""
    features, labels = problem(4)
    data = CrossEntropy(features, labels, 4)
    ridge = fit_sklearn(data, 0.7, Search(origin(data), 5000, 1e-10))
    matching = 0.7 * len(labels) / (2 * np.linalg.norm(ridge.weight))
    assert fit_lgssl(data, matching, Search(origin(data), 5000, 1e-10)).weight == pytest.approx(ridge.weight, abs=1e-4)


@pytest.mark.parametrize("fit", [fit_sklearn, fit_lgssl])
@pytest.mark.parametrize("cost", [0.05, 2.0, 1e4])
def test_the_minimum_does_not_depend_on_where_the_search_starts(fit: Fit, cost: float) -> None:
    features, labels = problem(3)
    data = CrossEntropy(features, labels, 3)
    cold = fit(data, cost, Search(origin(data), 5000, 1e-8))
    rng = np.random.default_rng(1)
    for start in (
        fit(data, cost / 10, Search(origin(data), 5000, 1e-8)),
        Head(rng.normal(size=(3, 5)), rng.normal(size=3)),
    ):
        warm = fit(data, cost, Search(start, 5000, 1e-8))
        assert warm.weight == pytest.approx(cold.weight, rel=1e-4, abs=1e-5)
        assert warm.bias - warm.bias.mean() == pytest.approx(cold.bias - cold.bias.mean(), rel=1e-4, abs=1e-5)


def minima(data: CrossEntropy, cost: float) -> list[float]:
    """The objective of scikit-learn where a search ends by the usual tolerance, and by a much smaller one."""
    ends = [fit_sklearn(data, cost, Search(origin(data), 50000, tolerance)) for tolerance in (5e-5, 1e-9)]
    return [data(*head)[0] + float(np.vdot(head.weight, head.weight)) / (2 * cost * data.rows) for head in ends]


@pytest.mark.parametrize("cost", [1.0, 1e4, 1e8])
def test_a_loss_that_is_nearly_zero_is_minimised_as_far_as_others(cost: float) -> None:
    """Separable classes, whose loss at a large C is far below any absolute tolerance."""
    labels = np.repeat([0, 1, 2], 30)
    features = np.random.default_rng(0).normal(size=(90, 4)) + 20 * np.eye(3, 4)[labels]
    loose, tight = minima(CrossEntropy(features, labels, 3), cost)
    assert tight < 1e-2 and loose == pytest.approx(tight, rel=1e-6)


def test_a_search_over_many_classes_ends_as_near_to_the_minimum() -> None:
    loose, tight = minima(CrossEntropy(*problem(100, 2000), 100), 1.0)
    assert tight > 0.1 and loose == pytest.approx(tight, rel=1e-6)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_loss_and_gradient_are_autograds(kind: str, dtype: type, close: float) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 6)).astype(dtype) * 5, rng.integers(0, 4, 40)
    weight, bias = rng.normal(size=(4, 6)), rng.normal(size=4)
    made: CrossEntropy
    made = CrossEntropy(features, labels, 4) if kind == "numpy" else TorchCrossEntropy(features, labels, 4, "cpu")
    loss, weight_gradient, bias_gradient = made(weight, bias)
    leaves = [torch.tensor(one, requires_grad=True) for one in (weight, bias)]
    expected = functional.cross_entropy(torch.tensor(features).double() @ leaves[0].T + leaves[1], torch.tensor(labels))
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=close)
    for mine, leaf in ((weight_gradient, leaves[0]), (bias_gradient, leaves[1])):
        assert mine.dtype == np.float64
        assert leaf.grad is not None
        assert mine == pytest.approx(leaf.grad.numpy(), rel=close, abs=close)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_parts_of_the_rows_add_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = problem(4)
    rng = np.random.default_rng(1)
    weight, bias, rows = rng.normal(size=(4, 5)), rng.normal(size=4), np.arange(3, 90)

    def found() -> list[np.ndarray]:
        basis = principal_basis(features.astype(np.float32), rows)
        turned, own = basis.turned(features, rows), labels[rows]
        data = CrossEntropy(turned, own, 4) if kind == "numpy" else TorchCrossEntropy(turned, own, 4, "cpu")
        loss, *gradients = data(weight, bias)
        return [np.array(loss), *gradients, basis.mean, basis.rotation @ basis.rotation.T, turned]

    whole = found()
    monkeypatch.setattr(objectives, "AT_ONCE", 10)  # the last part has fewer
    for expected, mine in zip(whole, found(), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)


def test_large_scores_do_not_overflow() -> None:
    loss, gradient, _ = CrossEntropy(np.full((2, 1), 1e4), np.array([0, 1]), 2)(np.array([[1.0], [0.0]]), np.zeros(2))
    assert loss == pytest.approx(5e3) and np.isfinite(gradient).all()


def test_principal_basis_is_orthogonal_and_uncorrelates() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)) + 3
    basis = principal_basis(features, np.arange(50))
    assert basis.rotation.T @ basis.rotation == pytest.approx(np.eye(4), abs=1e-12)
    turned = basis.turned(features, np.arange(50))
    assert turned.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-12)
    assert np.cov(turned.T, bias=True) == pytest.approx(np.diag(mean_squares(turned)), abs=1e-10)
