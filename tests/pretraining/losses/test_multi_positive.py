import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import multi_positive, sides
from workflow_scripts.pretraining.losses.contrastive import multi_positive_loss, nt_xent


def tensors(rows: list[np.ndarray]) -> list[torch.Tensor]:
    return [torch.tensor(side) for side in rows]


@pytest.mark.parametrize(("number", "width", "views"), [(1, 3, 2), (5, 8, 2), (6, 4, 3), (17, 5, 2)])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_the_papers(number: int, width: int, views: int, temperature: float) -> None:
    made = sides(number, width, views)
    classes = np.random.default_rng(1).integers(0, max(1, number // 2), number)
    weights = np.random.default_rng(2).random(number)
    for given in (None, weights):
        ours = multi_positive_loss(
            tensors(made), torch.tensor(classes), temperature, weights=None if given is None else torch.tensor(given)
        )
        assert ours.item() == pytest.approx(multi_positive(made, classes, temperature, given), rel=1e-9)


@pytest.mark.parametrize("number", [2, 7, 33])
def test_with_captions_that_all_differ_it_is_simclrs(number: int) -> None:
    first, second = tensors(sides(number, 6))
    ours = multi_positive_loss((first, second), torch.arange(number) + 5, 0.2)
    assert ours.item() == pytest.approx(nt_xent(first, second, 0.2).item(), rel=1e-5)


def test_closed_forms() -> None:
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
    views, classes = tensors(sides(3, 4)), torch.tensor([0, 1, 1])
    parts = [multi_positive_loss(views, classes, 0.3, weights=one) for one in torch.eye(3).double()]
    assert sum(parts).item() == pytest.approx(multi_positive_loss(views, classes, 0.3).item(), rel=1e-12)
    assert all(part.item() > 0 for part in parts)


def test_gradients_are_those_of_finite_differences() -> None:
    views = [view.requires_grad_() for view in tensors(sides(4, 3, 3))]
    classes, weights = torch.tensor([0, 1, 0, 2]), torch.tensor([1.0, 0.5, 0.2, 0.9]).double()
    assert torch.autograd.gradcheck(
        lambda *given: multi_positive_loss(given, classes, 0.5, weights=weights), views, atol=1e-8, rtol=1e-6
    )


def test_what_does_not_fit_is_named() -> None:
    good, classes = torch.zeros(3, 4), torch.arange(3)
    with pytest.raises(ValueError, match=r"view 0 \(0, 4\), view 1 \(0, 4\)"):
        multi_positive_loss((good[:0], good[:0]), classes[:0], 0.1)
    with pytest.raises(ValueError, match=r"view 0 \(3, 4\), view 1 \(2, 4\)"):
        multi_positive_loss((good, good[:2]), classes, 0.1)
    with pytest.raises(ValueError, match=r"classes have the shape \(2,\) instead of \(3,\)"):
        multi_positive_loss((good, good), classes[:2], 0.1)
    with pytest.raises(ValueError, match=r"weights have the shape \(3, 1\) instead of \(3,\)"):
        multi_positive_loss((good, good), classes, 0.1, weights=torch.ones(3, 1))
    with pytest.raises(ValueError, match="1 views per pair"):
        multi_positive_loss((good,), classes, 0.1)
