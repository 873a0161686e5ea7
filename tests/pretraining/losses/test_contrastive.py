import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import multi_positive, nearest_neighbour, sides
from workflow_scripts.pretraining.losses import contrastive
from workflow_scripts.pretraining.losses.contrastive import multi_positive_loss, nnclr_loss, nt_xent

SHAPES = [(1, 3), (2, 1), (5, 8), (17, 6)]
Two = tuple[torch.Tensor, torch.Tensor]


def tensors(made: list[np.ndarray]) -> Two:
    first, second = (torch.tensor(side) for side in made)
    return first, second


@pytest.mark.parametrize(("number", "width"), SHAPES)
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_equals_the_formula_of_the_paper(number: int, width: int, temperature: float) -> None:
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


def test_the_mean_over_processes_is_the_loss_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, neighbours = tensors(sides(6, 4)), tensors(sides(6, 4, seed=1))
    whole, parts = nnclr_loss(predicted, neighbours, 0.3), []
    for begin in (0, 3):
        gathered, own = iter(neighbours), slice(begin, begin + 3)
        monkeypatch.setattr(contrastive, "all_rows", lambda _, rows=gathered, at=begin: (next(rows), at))
        parts.append(nnclr_loss((predicted[0][own], predicted[1][own]), (neighbours[0][own], neighbours[1][own]), 0.3))
    assert sum(parts).item() / 2 == pytest.approx(whole.item(), rel=1e-12)


def test_a_process_s_views_are_left_out_at_their_places_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    views = tensors(sides(6, 4))
    whole, parts = nt_xent(*views, 0.3), []
    for begin in (0, 3):
        gathered = iter(views)
        monkeypatch.setattr(contrastive, "all_rows", lambda _, rows=gathered, at=begin: (next(rows), at))
        parts.append(nt_xent(views[0][begin : begin + 3], views[1][begin : begin + 3], 0.3))
    assert sum(parts).item() / 2 == pytest.approx(whole.item(), rel=1e-12)


def test_no_gradient_reaches_a_neighbour() -> None:
    predicted, neighbours = ([side.requires_grad_() for side in tensors(sides(4, 3, seed=seed))] for seed in (0, 1))
    nnclr_loss(predicted, neighbours, 0.5).backward()
    assert [side.grad for side in neighbours] == [None, None]


def views_of(rows: list[np.ndarray]) -> list[torch.Tensor]:
    return [torch.tensor(side) for side in rows]


@pytest.mark.parametrize(("number", "width", "views"), [(1, 3, 2), (5, 8, 2), (6, 4, 3), (17, 5, 2)])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_multi_positive_is_the_papers(number: int, width: int, views: int, temperature: float) -> None:
    made = sides(number, width, views)
    classes = np.random.default_rng(1).integers(0, max(1, number // 2), number)
    weights = np.random.default_rng(2).random(number)
    for given in (None, weights):
        ours = multi_positive_loss(
            views_of(made), torch.tensor(classes), temperature, weights=None if given is None else torch.tensor(given)
        )
        assert ours.item() == pytest.approx(multi_positive(made, classes, temperature, given), rel=1e-9)


@pytest.mark.parametrize("number", [2, 7, 33])
def test_the_loss_with_distinct_captions_equals_simclr(number: int) -> None:
    first, second = views_of(sides(number, 6))
    ours = multi_positive_loss((first, second), torch.arange(number) + 5, 0.2)
    assert ours.item() == pytest.approx(nt_xent(first, second, 0.2).item(), rel=1e-5)


def test_multi_positive_closed_forms() -> None:
    # All views equal: each of the 2n - 1 others has the same probability, whatever the classes.
    same = torch.ones(4, 3)
    for classes in ([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 0]):
        assert multi_positive_loss((same, same), torch.tensor(classes), 0.1).item() == pytest.approx(np.log(7))
    # Orthonormal rows, all of one class: the partner at cosine 1, the six others at 0.
    eye = torch.eye(4, dtype=torch.float64)
    log_sum = np.log(np.exp(2) + 6)
    assert multi_positive_loss((eye, eye), torch.zeros(4).long(), 0.5).item() == pytest.approx(log_sum - 2 / 7)
    # Two classes of two: three positives each, of which the partner alone is near.
    assert multi_positive_loss((eye, eye), torch.tensor([3, 3, 8, 8]), 0.5).item() == pytest.approx(log_sum - 2 / 3)
    # A single pair: nothing else to choose.
    assert multi_positive_loss((eye[:1], eye[1:2]), torch.zeros(1).long(), 0.1).item() == pytest.approx(0, abs=1e-12)


def test_a_weight_of_0_silences_a_pair_as_anchor() -> None:
    views, classes = views_of(sides(3, 4)), torch.tensor([0, 1, 1])
    parts = [multi_positive_loss(views, classes, 0.3, weights=one) for one in torch.eye(3).double()]
    assert sum(parts).item() == pytest.approx(multi_positive_loss(views, classes, 0.3).item(), rel=1e-12)
    assert all(part.item() > 0 for part in parts)
