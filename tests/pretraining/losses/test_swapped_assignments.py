import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import assignment, sides, swapped, unit
from workflow_scripts.pretraining.losses.swapped_assignments import prototype_scores, sinkhorn, swav_loss

SHAPES = [(1, 2), (5, 8), (17, 6), (40, 3)]


def cosines(number: int, prototypes: int, seed: int = 0) -> np.ndarray:
    """(number, prototypes) cosines of random vectors."""
    generator = np.random.default_rng(seed)
    return unit(generator.normal(size=(number, 4))) @ unit(generator.normal(size=(prototypes, 4))).T


@pytest.mark.parametrize(("number", "prototypes"), SHAPES)
@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 3), (0.5, 1), (0.03, 10)])
def test_assignments_equal_the_formula_of_the_paper(
    number: int, prototypes: int, epsilon: float, iterations: int
) -> None:
    scores = cosines(number, prototypes)
    ours = sinkhorn(torch.tensor(scores), epsilon, iterations).numpy()
    np.testing.assert_allclose(ours, assignment(scores, epsilon, iterations), rtol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=1), 1)


def test_assignments_closed_forms() -> None:
    # All scores equal: every row is spread evenly.
    np.testing.assert_allclose(sinkhorn(torch.full((6, 4), 0.3), 0.05, 3).numpy(), 0.25, rtol=1e-6)
    # One prototype near each row, all others equally far: exp(1 / 0.05) against 3 times 1.
    shares = sinkhorn(torch.eye(4, dtype=torch.float64), 0.05, 3).numpy()
    np.testing.assert_allclose(shares.diagonal(), 1 / (1 + 3 * np.exp(-20)), rtol=1e-12)
    # Rows that all prefer one prototype are shared among all prototypes nevertheless.
    lopsided = torch.tensor(cosines(30, 5))
    lopsided[:, 0] += 1
    np.testing.assert_allclose(sinkhorn(lopsided, 0.05, 200).sum(dim=0).numpy(), 6, rtol=1e-3)


def test_float32_assignments_are_accurate_for_shifted_scores() -> None:
    scores = torch.tensor(cosines(50, 300)).float()
    for shift in (0.0, 100.0, -100.0):
        shares = sinkhorn(scores + shift, 0.05, 3)
        np.testing.assert_allclose(shares.numpy(), sinkhorn(scores.double(), 0.05, 3).numpy(), atol=2e-4)


@pytest.mark.parametrize(("number", "prototypes"), SHAPES)
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_equals_the_formula_of_the_paper(number: int, prototypes: int, temperature: float) -> None:
    scores = [cosines(number, prototypes, seed) for seed in (0, 1)]
    shares = [assignment(one, 0.05, 3) for one in scores]
    ours = swav_loss([torch.tensor(one) for one in scores], [torch.tensor(one) for one in shares], temperature)
    assert ours.item() == pytest.approx(swapped(scores, shares, temperature), rel=1e-9)


def test_closed_forms() -> None:
    # Scores that say nothing leave log of the number of prototypes, whatever the assignments.
    nothing, eye = torch.zeros(4, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    assert swav_loss((nothing, nothing), (eye, eye), 0.1).item() == pytest.approx(np.log(4))
    assert swav_loss((eye, eye), (eye, eye), 0.5).item() == pytest.approx(np.log(1 + 3 * np.exp(-2)))
    # The softmax is over prototypes: the score of a prototype that no image of the batch is near counts.
    wide = torch.cat([eye, torch.ones(4, 1)], dim=1)
    assigned = torch.cat([eye, torch.zeros(4, 1)], dim=1)
    assert swav_loss((wide, wide), (assigned, assigned), 0.5).item() == pytest.approx(np.log(2 + 3 * np.exp(-2)))
    # A view predicts the assignment of the other.
    turned = eye.roll(1, dims=0)
    assert swav_loss((eye, turned), (turned, eye), 0.5).item() == pytest.approx(np.log(1 + 3 * np.exp(-2)))


def test_no_gradient_reaches_an_assignment() -> None:
    rows = [torch.tensor(side, requires_grad=True) for side in sides(4, 3)]
    prototypes = torch.tensor(unit(sides(5, 3, seed=1)[0]))
    first, second = (prototype_scores(side, prototypes) for side in rows)
    assigned = [sinkhorn(scores, 0.05, 3).requires_grad_() for scores in (first, second)]
    swav_loss((first, second), (assigned[0], assigned[1]), 0.5).backward()
    assert [side.grad for side in assigned] == [None, None]


@pytest.mark.parametrize("epsilon", [0.02, 0.01, 0.001])
def test_a_prototype_that_is_far_from_all_rows_leaves_shares_finite(epsilon: float) -> None:
    scores = torch.tensor([[1.0, 0.98, -1.0], [0.99, 1.0, -1.0], [1.0, 1.0, -0.99]])
    shares = sinkhorn(scores, epsilon, 3)
    np.testing.assert_allclose(shares.sum(dim=1).numpy(), 1, rtol=1e-5)
    if epsilon == 0.02:  # the smallest at which the reference is finite too
        np.testing.assert_allclose(shares.numpy(), assignment(scores.double().numpy(), epsilon, 3), rtol=1e-4)
