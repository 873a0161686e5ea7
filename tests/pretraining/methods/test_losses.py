import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.pretraining.losses.contrastive import LARGEST, clip_loss, nt_xent
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.methods import supervised
from workflow_scripts.pretraining.methods.simsiam import negative_cosine, symmetric_loss
from workflow_scripts.pretraining.network import Batch, Network

SIZES = [(2, 3), (3, 1), (5, 8), (16, 4), (33, 17)]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nt_xent_reference(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """Pseudocode of Chen et al. 2020, algorithm 1, one pair of indices at a time; views interleaved as there."""
    z = np.empty((2 * len(first), first.shape[1]))
    z[0::2], z[1::2] = unit(first), unit(second)
    similarity = z @ z.T

    def one(i: int, j: int) -> float:
        below = sum(np.exp(similarity[i, k] / temperature) for k in range(len(z)) if k != i)
        return -np.log(np.exp(similarity[i, j] / temperature) / below)

    return sum(one(2 * k, 2 * k + 1) + one(2 * k + 1, 2 * k) for k in range(len(first))) / len(z)


def clip_reference(images: np.ndarray, texts: np.ndarray, log_scale: float) -> float:
    """Radford et al. 2021, figure 3."""
    logits = unit(images) @ unit(texts).T * min(np.exp(log_scale), 100)
    rows = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    columns = logits - np.log(np.exp(logits).sum(0, keepdims=True))
    return -(np.diag(rows).mean() + np.diag(columns).mean()) / 2


def pair(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(n, d))


@pytest.mark.parametrize(("n", "d"), SIZES)
@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_nt_xent_equals_the_formula_of_the_paper(n: int, d: int, temperature: float) -> None:
    first, second = pair(n, d)
    ours = nt_xent(torch.tensor(first), torch.tensor(second), temperature)
    assert ours.item() == pytest.approx(nt_xent_reference(first, second, temperature), rel=1e-5)


@pytest.mark.parametrize("n", [2, 7, 64])
def test_nt_xent_closed_forms(n: int) -> None:
    # All views equal: each of the 2n - 1 others is as near as the partner.
    same = torch.ones(n, 4)
    assert nt_xent(same, same, 0.1).item() == pytest.approx(np.log(2 * n - 1), rel=1e-5)
    # Orthonormal pairs: partner at cosine 1, the 2n - 2 others at 0.
    eye = torch.eye(n)
    assert nt_xent(eye, eye, 0.5).item() == pytest.approx(np.log(1 + (2 * n - 2) * np.exp(-2)), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 10**6), st.floats(0.01, 100))
def test_losses_are_symmetric_and_blind_to_length(n: int, d: int, seed: int, length: float) -> None:
    first, second = (torch.tensor(side) for side in pair(n, d, seed))
    scale = torch.tensor(2.0)
    losses = (lambda a, b: nt_xent(a, b, 0.2), lambda a, b: clip_loss(a, b, scale))
    for loss in losses:
        assert loss(first, second).item() == pytest.approx(loss(second, first).item(), rel=1e-4, abs=1e-6)
        assert loss(first * length, second).item() == pytest.approx(loss(first, second).item(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), SIZES)
@pytest.mark.parametrize("log_scale", [0.0, 2.66, 6.0])
def test_the_clip_loss_equals_the_formula_of_the_paper(n: int, d: int, log_scale: float) -> None:
    images, texts = pair(n, d, 1)
    ours = clip_loss(torch.tensor(images), torch.tensor(texts), torch.tensor(log_scale))
    assert ours.item() == pytest.approx(clip_reference(images, texts, log_scale), rel=1e-4, abs=1e-6)


def test_clip_closed_forms_and_scale_held_at_100() -> None:
    # All equal: each of the five is as near as the right one.
    assert clip_loss(torch.ones(5, 4), torch.ones(5, 4), torch.tensor(1.0)).item() == pytest.approx(np.log(5), rel=1e-6)
    eye = torch.eye(5)
    for log_scale, scale in ((0.0, 1.0), (np.log(100), 100), (9.0, 100)):
        expected = np.log1p(4 * np.exp(-scale))
        assert clip_loss(eye, eye, torch.tensor(log_scale)).item() == pytest.approx(expected, abs=1e-6)
    # A scale that has reached the bound can come down again: the pairs below are wrong, so less would be better.
    held = torch.tensor(LARGEST, requires_grad=True)
    clip_loss(eye, eye.roll(1, 0), held).backward()
    assert held.grad is not None and held.grad.item() == pytest.approx(100, rel=1e-4)


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_the_simsiam_loss_equals_the_formula_of_the_paper(n: int, d: int) -> None:
    (p1, p2), (z1, z2) = pair(n, d, 2), pair(n, d, 3)
    expected = -((unit(p1) * unit(z2)).sum(1).mean() + (unit(p2) * unit(z1)).sum(1).mean()) / 2
    tensors = [torch.tensor(side) for side in (p1, p2, z1, z2)]
    ours = symmetric_loss((tensors[0], tensors[1]), (tensors[2], tensors[3]))
    assert ours.item() == pytest.approx(expected, abs=1e-6)


def test_simsiam_stops_the_gradient_into_the_projection() -> None:
    predicted, projected = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    negative_cosine(predicted, projected).backward()
    assert projected.grad is None
    assert predicted.grad is not None


def test_simsiam_closed_forms() -> None:
    rows, eye = torch.randn(4, 3), torch.eye(4)
    assert negative_cosine(rows, 3 * rows).item() == pytest.approx(-1)
    assert negative_cosine(rows, -rows).item() == pytest.approx(1)
    assert negative_cosine(eye, eye.roll(1, dims=0)).item() == 0
    # Each prediction is compared with the projection of the other view.
    assert symmetric_loss((eye, -eye), (eye, eye)).item() == pytest.approx(0)
    assert symmetric_loss((eye, eye.roll(1, dims=0)), (eye.roll(1, dims=0), eye)).item() == pytest.approx(-1)


def supervised_loss(views: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> torch.Tensor:
    """The loss of two views (2, b, d), taken as features, under a classifier."""
    settings = supervised.SupervisedHead()
    heads = supervised.heads(settings, weight.shape[1], Sizes(labels=len(weight)))
    heads["classifier"].load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    network = Network(
        torch.nn.Identity(),
        heads,
        lambda net, batch: supervised.embed(net, settings, batch),
        lambda net, batch, rows: supervised.loss(net, settings, batch, rows),
    )
    return network(Batch(tuple(torch.tensor(views).float()), 1, labels=torch.tensor(labels)))


@pytest.mark.parametrize(("n", "d", "classes"), [(1, 1, 2), (5, 8, 3), (33, 17, 12)])
def test_supervised_is_the_mean_cross_entropy_of_both_views(n: int, d: int, classes: int) -> None:
    generator = np.random.default_rng(n)
    views, weight = generator.normal(size=(2, n, d)), generator.normal(size=(classes, d))
    bias, labels = generator.normal(size=classes), generator.integers(0, classes, n)
    scores = views @ weight.T + bias
    expected = [
        np.log(np.exp(row).sum()) - row[label] for view in scores for row, label in zip(view, labels, strict=True)
    ]
    assert supervised_loss(views, labels, weight, bias).item() == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 12])
def test_supervised_closed_forms(classes: int) -> None:
    labels = np.arange(classes)
    views = np.stack([np.eye(classes)] * 2)
    # A classifier of zeros knows nothing; one with the score s for the right label leaves log(1 + (c - 1) exp(-s)).
    nothing = supervised_loss(views, labels, np.zeros((classes, classes)), np.zeros(classes))
    assert nothing.item() == pytest.approx(np.log(classes), rel=1e-6)
    right = supervised_loss(views, labels, 3 * np.eye(classes), np.zeros(classes))
    assert right.item() == pytest.approx(np.log(1 + (classes - 1) * np.exp(-3)), rel=1e-5)
