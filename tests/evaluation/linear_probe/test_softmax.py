import numpy as np
import pytest
import torch
from torch.nn import functional

from workflow_scripts.evaluation.linear_probe.softmax import (
    CrossEntropy,
    NumpyCrossEntropy,
    mean_squares,
    principal_basis,
)
from workflow_scripts.evaluation.linear_probe.softmax_torch import TorchCrossEntropy


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_loss_and_gradient_are_autograds(kind: str, dtype: type, close: float) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 6)).astype(dtype) * 5, rng.integers(0, 4, 40)
    weight, bias = rng.normal(size=(4, 6)), rng.normal(size=4)
    made: CrossEntropy
    made = NumpyCrossEntropy(features, labels, 4) if kind == "numpy" else TorchCrossEntropy(features, labels, 4, "cpu")
    loss, weight_gradient, bias_gradient = made(weight, bias)
    leaves = [torch.tensor(one, requires_grad=True) for one in (weight, bias)]
    expected = functional.cross_entropy(torch.tensor(features).double() @ leaves[0].T + leaves[1], torch.tensor(labels))
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=close)
    for mine, leaf in ((weight_gradient, leaves[0]), (bias_gradient, leaves[1])):
        assert mine.dtype == np.float64
        assert leaf.grad is not None
        assert mine == pytest.approx(leaf.grad.numpy(), rel=close, abs=close)


def test_large_scores_do_not_overflow() -> None:
    loss, gradient, _ = NumpyCrossEntropy(np.full((2, 1), 1e4), np.array([0, 1]), 2)(
        np.array([[1.0], [0.0]]), np.zeros(2)
    )
    assert loss == pytest.approx(5e3) and np.isfinite(gradient).all()


def test_principal_basis_is_orthogonal_and_uncorrelates() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)) + 3
    basis = principal_basis(features)
    assert basis.rotation.T @ basis.rotation == pytest.approx(np.eye(4), abs=1e-12)
    turned = basis.turned(features)
    assert turned.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-12)
    assert np.cov(turned.T, bias=True) == pytest.approx(np.diag(mean_squares(turned)), abs=1e-10)
