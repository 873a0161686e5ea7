import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import nearest_neighbour, sides
from workflow_scripts.pretraining.losses.contrastive import nnclr_loss

SHAPES = [(1, 3), (2, 1), (5, 8), (17, 6)]
Two = tuple[torch.Tensor, torch.Tensor]


def tensors(made: list[np.ndarray]) -> Two:
    first, second = (torch.tensor(side) for side in made)
    return first, second


@pytest.mark.parametrize(("number", "width"), SHAPES)
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_the_papers(number: int, width: int, temperature: float) -> None:
    predicted, neighbours = sides(number, width), sides(number, width, seed=1)
    ours = nnclr_loss(tensors(predicted), tensors(neighbours), temperature)
    assert ours.item() == pytest.approx(nearest_neighbour(predicted, neighbours, temperature), rel=1e-9)


def test_closed_forms() -> None:
    same = (torch.ones(4, 3), torch.ones(4, 3))
    assert nnclr_loss(same, same, 0.1).item() == pytest.approx(np.log(4), rel=1e-6)
    eye = torch.eye(5, dtype=torch.float64)
    assert nnclr_loss((eye, eye), (eye, eye), 0.5).item() == pytest.approx(np.log(1 + 4 * np.exp(-2)))
    # A view predicts the neighbour of the other, not its own.
    wrong = eye.roll(1, dims=0)
    assert nnclr_loss((eye, wrong), (wrong, eye), 0.5).item() == pytest.approx(np.log(1 + 4 * np.exp(-2)))


def test_parts_of_a_batch_have_its_loss_and_gradients() -> None:
    predicted, neighbours = tensors(sides(6, 4)), tensors(sides(6, 4, seed=1))
    whole = nnclr_loss(predicted, neighbours, 0.3)
    parts = [
        nnclr_loss(
            (predicted[0][begin : begin + 3], predicted[1][begin : begin + 3]),
            (neighbours[0][begin : begin + 3], neighbours[1][begin : begin + 3]),
            0.3,
            neighbours,
            begin,
        )
        for begin in (0, 3)
    ]
    assert sum(parts).item() / 2 == pytest.approx(whole.item(), rel=1e-12)


def test_gradients_are_those_of_finite_differences_and_reach_no_neighbour() -> None:
    predicted = [side.requires_grad_() for side in tensors(sides(4, 3))]
    neighbours = [side.requires_grad_() for side in tensors(sides(4, 3, seed=1))]
    assert torch.autograd.gradcheck(lambda *given: nnclr_loss(given, neighbours, 0.5), predicted, atol=1e-8, rtol=1e-6)
    nnclr_loss(predicted, neighbours, 0.5).backward()
    assert [side.grad for side in neighbours] == [None, None]


def test_what_does_not_fit_is_named() -> None:
    good = torch.zeros(3, 4)
    with pytest.raises(ValueError, match=r"first \(0, 4\), second \(0, 4\)"):
        nnclr_loss((good[:0], good[:0]), (good[:0], good[:0]), 0.1)
    with pytest.raises(ValueError, match=r"second \(3, 4\), neighbours \(2, 4\)"):
        nnclr_loss((good, good), (good[:2], good), 0.1)
