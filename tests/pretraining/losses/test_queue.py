import numpy as np
import pytest
import torch

from tests.pretraining.losses.references import unit
from workflow_scripts.pretraining.losses.queue import Queue


def rows(number: int, width: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("size", "batches"), [(7, [3, 3, 3, 3]), (4, [4, 4]), (5, [1] * 13), (3, [2, 8, 1]), (6, [13])]
)
def test_the_queue_holds_the_latest_rows_wherever_it_wraps_around(size: int, batches: list[int]) -> None:
    queue = Queue(size, 3)
    at_first, added = queue.rows.clone(), torch.empty(0, 3)
    for seed, number in enumerate(batches):
        queue.add(rows(number, seed=seed))
        added = torch.cat([added, rows(number, seed=seed)])
        kept = unit(added.numpy())[-size:]
        newest = [queue.rows[(int(queue.place) - 1 - back) % size].numpy() for back in range(len(kept))]
        np.testing.assert_allclose(newest[::-1], kept, rtol=1e-6)
        assert int(queue.place) == len(added) % size or number > size
    if len(added) < size:
        assert torch.equal(queue.rows[len(added) :], at_first[len(added) :])


def test_the_initial_queue_rows_are_random_unit_vectors() -> None:
    torch.manual_seed(0)
    queue = Queue(500, 2)
    np.testing.assert_allclose(queue.rows.norm(dim=1).numpy(), 1, rtol=1e-6)
    assert queue.rows.mean(dim=0).norm() < 0.15


def test_the_nearest_is_that_of_the_largest_cosine_and_a_copy_without_gradient() -> None:
    queue, given = Queue(40, 5), (10 * rows(9, 5, 1)).requires_grad_()
    found = queue.nearest(given)
    cosines = unit(given.detach().numpy()) @ unit(queue.rows.numpy()).T
    np.testing.assert_array_equal(found.numpy(), queue.rows.numpy()[cosines.argmax(axis=1)])
    assert not found.requires_grad
    before = found.clone()
    queue.add(rows(40, 5, 2))
    assert torch.equal(found, before)


def test_the_queue_state_is_in_the_checkpoint() -> None:
    one, two = Queue(5, 3), Queue(5, 3)
    one.add(rows(3))
    two.load_state_dict(one.state_dict())
    for queue in (one, two):
        queue.add(rows(4, seed=1))
    assert set(one.state_dict()) == {"rows", "place"}
    assert torch.equal(one.rows, two.rows) and int(two.place) == 2
