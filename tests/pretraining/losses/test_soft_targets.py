import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import sides, soft_target, unit
from workflow_scripts.pretraining.losses import soft_targets
from workflow_scripts.pretraining.losses.contrastive import nt_xent
from workflow_scripts.pretraining.losses.soft_targets import perplexity, soft_target_loss, temperature_of


def batch(number: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Both views of a batch, and vectors of its captions."""
    first, second = (torch.tensor(side) for side in sides(number, width, seed=seed))
    return first, second, torch.tensor(sides(number, 7, 1, seed + 1)[0])


@pytest.mark.parametrize(("number", "width"), [(1, 3), (2, 1), (5, 8), (17, 4)])
@pytest.mark.parametrize(("temperature", "target"), [(0.1, 0.1), (0.5, 0.05), (0.2, 2.0)])
def test_the_loss_equals_the_formula_of_the_paper(number: int, width: int, temperature: float, target: float) -> None:
    given = batch(number, width)
    ours = soft_target_loss(*given, temperature, target)
    assert ours.item() == pytest.approx(soft_target(*(side.numpy() for side in given), temperature, target), rel=1e-9)


@pytest.mark.parametrize("number", [2, 7, 33])
def test_the_loss_with_one_hot_targets_equals_simclr(number: int) -> None:
    first, second, captions = batch(number, 6)
    sharp = soft_target_loss(first, second, captions, 0.2, 1e-4)  # only the other view, at G = 1, has a share
    assert sharp.item() == pytest.approx(nt_xent(first, second, 0.2).item(), rel=1e-5)
    soft = soft_target_loss(first, second, captions, 0.2, 0.5)
    assert soft.item() != pytest.approx(sharp.item(), rel=1e-3)


def test_closed_forms() -> None:
    same, captions = torch.ones(4, 3, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    # All views equal: -log of 1/7 for any targets.
    assert soft_target_loss(same, same, captions, 0.1, 0.3).item() == pytest.approx(np.log(7))
    # Orthonormal views and captions: the target of the other view is e^2 / (e^2 + 6), and it alone is near.
    share = np.exp(2) / (np.exp(2) + 6)
    expected = np.log(np.exp(4) + 6) - 4 * share
    assert soft_target_loss(captions, captions, captions, 0.25, 0.5).item() == pytest.approx(expected)
    # Equal captions: the same share for all seven.
    expected = np.log(np.exp(4) + 6) - 4 / 7
    assert soft_target_loss(captions, captions, same, 0.25, 0.5).item() == pytest.approx(expected)
    # The entropy of the targets is the least loss: views as similar as their captions reach it.
    lengths = torch.tensor(unit(np.random.default_rng(0).normal(size=(6, 5))))
    least = soft_target_loss(lengths, lengths, lengths, 0.3, 0.3)
    assert np.exp(least.item()) <= perplexity([lengths.numpy()], 0.3) * (1 + 1e-12)


def test_captions_get_no_gradient() -> None:
    first, second, captions = (side.requires_grad_() for side in batch(4, 3))
    soft_target_loss(first, second, captions, 0.5, 0.2).backward()
    assert captions.grad is None


def test_the_perplexity_is_that_of_the_losss_targets() -> None:
    captions = unit(np.random.default_rng(3).normal(size=(9, 5)))
    graph = np.tile(captions @ captions.T, (2, 2)) / 0.2
    np.fill_diagonal(graph, -np.inf)
    shares = np.exp(graph) / np.exp(graph).sum(1, keepdims=True)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    assert perplexity([captions], 0.2) == pytest.approx(np.exp(entropy).mean(), rel=1e-12)


def test_perplexity_closed_forms() -> None:
    eye, same = np.eye(8, dtype=np.float32), np.ones((8, 1), dtype=np.float32)
    assert perplexity([eye], 1e-3) == pytest.approx(1)  # the other view alone
    assert perplexity([eye], 1e4) == pytest.approx(15, rel=1e-6)
    assert perplexity([same], 0.1) == pytest.approx(15)  # all captions equal
    assert perplexity([eye, same], 1e-3) == pytest.approx(8)  # the mean over views of both batches


@pytest.mark.parametrize("wanted", [1.5, 4.0, 12.0])
def test_the_temperature_gives_the_requested_perplexity(wanted: float) -> None:
    generator = np.random.default_rng(0)
    spread = [unit(generator.normal(size=(12, 6))).astype(np.float32) for _ in range(3)]
    narrow = [unit(generator.normal(size=(12, 6)) + 2).astype(np.float32) for _ in range(3)]
    found = [temperature_of(captions, wanted) for captions in (spread, narrow)]
    assert found[1] < found[0]  # captions that are more similar need sharper targets
    for captions, temperature in zip((spread, narrow), found, strict=True):
        assert perplexity(captions, temperature) == pytest.approx(wanted, rel=1e-4)
        assert temperature == float(f"{temperature:.6g}")


def test_a_perplexity_out_of_reach_is_an_error() -> None:
    captions = [np.eye(8, dtype=np.float32)]
    for wanted in (1.0, 15.0, 40.0):
        with pytest.raises(ValueError, match=rf"^{wanted:g} is not between 1 and (15|14\.99\d*)$"):
            temperature_of(captions, wanted)


def test_only_the_first_anchors_of_a_large_batch_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    captions = np.concatenate([np.eye(8), np.ones((8, 8)) / np.sqrt(8)]).astype(np.float32)
    monkeypatch.setattr(soft_targets, "ANCHORS", 8)
    assert perplexity([captions], 1e-3) == pytest.approx(1)
    monkeypatch.setattr(soft_targets, "ANCHORS", 16)
    assert perplexity([captions], 1e-3) == pytest.approx((8 * 1 + 8 * 15) / 16)
