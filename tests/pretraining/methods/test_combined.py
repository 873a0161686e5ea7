"""Losses of methods with several terms or a memory, from features that the network passes on as they are."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.pretraining.losses.references import assignment, nearest_neighbour, sides, swapped, unit
from tests.pretraining.methods.test_losses import clip_reference, nt_xent_reference
from workflow_scripts.pretraining.losses.contrastive import LARGEST
from workflow_scripts.pretraining.losses.queue import Queue
from workflow_scripts.pretraining.methods import clip, declip_nn, lgslip, nnclr, slip, swav
from workflow_scripts.pretraining.network import Batch, Network

WIDTH, SCALE = 4, 1.5


class Given(nn.Module):
    """A text tower whose tokens are the vectors themselves."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens


def linear(seed: int) -> tuple[nn.Module, np.ndarray]:
    """A random linear layer, and its weights (out, in)."""
    weights = np.random.default_rng(seed).normal(size=(WIDTH, WIDTH))
    layer = nn.Linear(WIDTH, WIDTH, bias=False)
    layer.load_state_dict({"weight": torch.tensor(weights).float()})
    return layer, weights


def network(**heads: nn.Module) -> Network:
    scale = nn.ParameterDict({"log": nn.Parameter(torch.tensor(SCALE))})
    return Network(
        nn.Identity(), {"text": Given(), "scale": scale, **heads}, lambda *given: (), lambda *given: torch.zeros(())
    )


def batch(views: list[np.ndarray], texts: np.ndarray | None = None, step: int = 1) -> Batch:
    tokens = None if texts is None else torch.tensor(texts).float()
    return Batch(tuple(torch.tensor(view).float() for view in views), step, tokens=tokens)


def loss_of(method: ModuleType, net: Network, settings: Any, given: Batch) -> torch.Tensor:
    objective = method.METHOD.objective
    return objective.loss(net, settings, given, objective.embed(net, settings, given))


def test_a_logit_scale_beyond_its_bound_is_clamped_and_keeps_a_gradient() -> None:
    net = network(project=nn.Identity())
    scale: Any = net.get_parameter("heads.scale.log")
    scale.data.fill_(9.0)
    view, text = sides(6, WIDTH)
    loss_of(clip, net, clip.ClipHead(), batch([view], text)).backward()
    assert scale.item() == pytest.approx(LARGEST) and scale.grad.abs() > 1e-3


def test_slip_matches_the_first_view_and_contrasts_the_others() -> None:
    views, texts = sides(6, WIDTH, 3), sides(6, WIDTH, 1, 1)[0]
    (project, matrix), (projector, other) = linear(2), linear(3)
    settings = slip.SlipHead(nt_xent_weight=0.7, nt_xent_temperature=0.3)
    found = loss_of(slip, network(project=project, projector=projector), settings, batch(views, texts)).item()
    matched = clip_reference(views[0] @ matrix.T, texts, SCALE)
    contrasted = nt_xent_reference(views[1] @ other.T, views[2] @ other.T, 0.3)
    assert found == pytest.approx(matched + 0.7 * contrasted, rel=1e-5)


def test_lgslips_projector_feeds_both_losses_and_the_caption_is_that_of_the_first_image() -> None:
    views, texts = sides(6, WIDTH), sides(6, WIDTH, 1, 1)[0]
    project, matrix = linear(2)
    first, second = (view @ matrix.T for view in views)
    settings = lgslip.LgslipHead(nt_xent_weight=0.7, nt_xent_temperature=0.3)
    found = loss_of(lgslip, network(project=project), settings, batch(views, texts)).item()
    expected = clip_reference(first, texts, SCALE) + 0.7 * nt_xent_reference(first, second, 0.3)
    assert found == pytest.approx(expected, rel=1e-5)


def with_queue(size: int) -> tuple[Queue, np.ndarray]:
    torch.manual_seed(0)
    queue = Queue(size, WIDTH)
    return queue, queue.rows.numpy().copy()


def nearest(rows: np.ndarray, stored: np.ndarray) -> np.ndarray:
    return stored[(unit(rows) @ unit(stored).T).argmax(axis=1)]


def test_declip_neighbours_come_from_earlier_captions() -> None:
    queue, stored = with_queue(7)
    settings = declip_nn.DeclipNnHead(neighbour_weight=0.3)
    net = network(project=nn.Identity(), queue=queue)
    for seed in range(4):  # the queue of 7 wraps around
        (image, text), place = sides(3, WIDTH, seed=seed), (3 * seed) % 7
        found = loss_of(declip_nn, net, settings, batch([image], text)).item()
        neighbours = nearest(text, stored)
        expected = 0.7 * clip_reference(image, text, SCALE) + 0.3 * clip_reference(image, neighbours, SCALE)
        assert found == pytest.approx(expected, rel=1e-5)
        stored[[(place + row) % 7 for row in range(3)]] = unit(text)
        np.testing.assert_allclose(queue.rows.numpy(), stored, rtol=1e-5)


def test_nnclr_finds_neighbours_before_the_second_view_enters_the_queue() -> None:
    queue, stored = with_queue(7)
    predictor, matrix = linear(2)
    settings = nnclr.NnclrHead(temperature=0.3)
    net = network(projector=nn.Identity(), predictor=predictor, queue=queue)
    for seed in range(4):
        (first, second), place = sides(3, WIDTH, seed=seed), (3 * seed) % 7
        found = loss_of(nnclr, net, settings, batch([first, second])).item()
        neighbours = [nearest(first, stored), nearest(second, stored)]
        assert found == pytest.approx(
            nearest_neighbour([first @ matrix.T, second @ matrix.T], neighbours, 0.3), rel=1e-5
        )
        stored[[(place + row) % 7 for row in range(3)]] = unit(second)
        np.testing.assert_allclose(queue.rows.numpy(), stored, rtol=1e-5)


def swav_network(settings: swav.SwavHead) -> tuple[Network, np.ndarray]:
    torch.manual_seed(1)
    heads = swav.heads(settings, WIDTH, swav.Sizes())
    heads["projector"] = nn.Identity()
    return network(**heads), heads["prototypes"].weight.detach().double().numpy().copy()


def test_swavs_queues_are_filled_from_their_step_and_used_once_they_are_full() -> None:
    settings = swav.SwavHead(projector=(WIDTH,), prototypes=5, queue=6, queue_from=3, temperature=0.2)
    net, prototypes = swav_network(settings)
    prototypes = unit(prototypes)
    queued: list[list[np.ndarray]] = [[], []]
    for step in range(1, 9):
        views = [unit(view) for view in sides(3, WIDTH, seed=step)]
        found = loss_of(swav, net, settings, batch(views, step=step)).item()
        assigned = []
        for view, rows in zip(views, queued, strict=True):
            together = [*rows[-6:], *view] if len(rows) >= 6 else [*view]
            assigned.append(assignment(np.array(together) @ prototypes.T, 0.05, 3)[-3:])
        assert found == pytest.approx(swapped([view @ prototypes.T for view in views], assigned, 0.2), rel=2e-4), step
        for view, rows in zip(views, queued, strict=True):
            rows += [*view] if step >= 3 else []
    assert len(queued[0]) == 18, "which is more than twice round the queue"


def test_swav_without_a_queue_assigns_only_the_batch() -> None:
    net, prototypes = swav_network(swav.SwavHead(projector=(WIDTH,), prototypes=5, queue=0, queue_from=1))
    assert not [name for name in net.state_dict() if "queue" in name]
    views = [unit(view) for view in sides(3, WIDTH)]
    scores = [view @ unit(prototypes).T for view in views]
    found = loss_of(swav, net, swav.SwavHead(prototypes=5, queue=0), batch(views, step=50_000)).item()
    assert found == pytest.approx(swapped(scores, [assignment(one, 0.05, 3) for one in scores], 0.1), rel=2e-4)


@pytest.mark.parametrize(("step", "moves"), [(1, False), (4, False), (5, True)])
def test_swavs_prototypes_have_unit_length_and_are_frozen_at_the_start(step: int, moves: bool) -> None:
    settings = swav.SwavHead(projector=(WIDTH,), prototypes=5, queue=0, frozen_steps=4)
    net, _ = swav_network(settings)
    weights: Any = net.get_parameter("heads.prototypes.weight")
    # Momentum and weight decay move a parameter whose gradient is 0, but not one without a gradient.
    optimizer = torch.optim.AdamW([weights], weight_decay=0.5)
    loss_of(swav, net, settings, batch(sides(3, WIDTH), step=step)).backward()
    np.testing.assert_allclose(weights.detach().norm(dim=1).numpy(), 1, rtol=1e-6)
    before = weights.detach().clone()
    swav.freeze(net, settings, step)
    optimizer.step()
    assert torch.equal(weights, before) != moves
