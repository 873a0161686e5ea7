"""What holds for the loss of every method: its gradients, and errors for what does not fit."""

from collections.abc import Sequence

import pytest
import torch

from tests.pretraining.shapes import HEADS
from tests.pretraining.test_methods import SIZES, batch_of, run_of
from workflow_scripts.pretraining.losses import swapped_assignments
from workflow_scripts.pretraining.losses.queue import Queue
from workflow_scripts.pretraining.network import Batch, Network, build_network
from workflow_scripts.pretraining.settings import METHODS

STEP = 0.05
PREDICTIONS = {"simsiam": {2, 3}, "nnclr": {2, 3}}
"""Methods some of whose rows get no gradient, and the rows that do."""


def given(name: str) -> tuple[Network, Batch, list[torch.Tensor]]:
    """A network, a batch of four pairs with weights if the method takes them, and random rows in place of those that
    the network would embed."""
    network, batch = build_network(run_of(name, **{name: HEADS[name]}), SIZES), batch_of(name)
    if METHODS[name].weights:
        batch = batch._replace(weights=torch.tensor([1.0, 0.5, 0.2, 0.9]))
    generator = torch.Generator().manual_seed(0)
    return network, batch, [torch.randn(row.shape, generator=generator) for row in network.embedded(batch)]


@pytest.mark.parametrize("name", HEADS)
def test_gradients_are_those_of_finite_differences(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = torch.rand(4, 6, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    monkeypatch.setattr(swapped_assignments, "sinkhorn", lambda *_: shares)
    # Neither these assignments nor neighbours get a gradient.
    monkeypatch.setattr(Queue, "nearest", lambda queue, rows: queue.rows[: len(rows)].clone())
    network, batch, rows = given(name)
    scale = [weight for path, weight in network.named_parameters() if path == "heads.scale.log"]
    start = {key: value.clone() for key, value in network.state_dict().items()}

    def loss(moved: Sequence[torch.Tensor]) -> torch.Tensor:
        network.load_state_dict(start)  # queues, too
        for weight, value in zip(scale, moved[len(rows) :], strict=True):
            weight.data.copy_(value)
        return network.compared(batch, moved[: len(rows)])

    leaves = [*(row.requires_grad_() for row in rows), *(weight.detach().clone() for weight in scale)]
    found = torch.autograd.grad(loss(leaves), [*rows, *scale], allow_unused=True)
    reached = {number for number, gradient in enumerate(found) if gradient is not None}
    assert reached == PREDICTIONS.get(name, set(range(len(leaves))))
    for number in reached:
        direction = torch.randn(leaves[number].shape, generator=torch.Generator().manual_seed(number))
        direction /= direction.norm()
        value = {}
        with torch.no_grad():
            for steps in (-2, -1, 1, 2):
                moved = [one + steps * STEP * direction if at == number else one for at, one in enumerate(leaves)]
                value[steps] = loss(moved).double()
        slope = (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * STEP)
        gradient = found[number].double()
        assert abs(slope - (gradient * direction).sum()) < 1e-3 * gradient.norm(), number


@pytest.mark.parametrize("name", HEADS)
def test_rows_of_other_than_all_pairs_are_errors(name: str) -> None:
    network, batch, rows = given(name)
    assert network.compared(batch, rows).isfinite()
    for number, row in enumerate(rows):
        with pytest.raises(ValueError, match=r"\(3,.* for 4 pairs"):
            network.compared(batch, [*rows[:number], row[:3], *rows[number + 1 :]])
