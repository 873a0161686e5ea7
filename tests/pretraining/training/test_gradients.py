"""Gradients from micro-batches against those of the whole batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn

from tests.pretraining.operations import Operations
from tests.pretraining.shapes import HEADS
from tests.pretraining.test_methods import SIZES, TRAINED, run_of
from tests.pretraining.together import together
from workflow_scripts.pretraining.method import SIGNAL_INPUTS
from workflow_scripts.pretraining.network import Batch, Network, build_network
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.pretraining.training.gradients import RunningStatistics, backward
from workflow_scripts.stages.pretrain import STAGE

WITHOUT_BUFFERS = DistributedDataParallelKwargs(broadcast_buffers=False)
PAIRS, STEPS = 12, 4  # all queues wrap around; swav's are in use from step 2


def without_batch_norms(module: nn.Module) -> nn.Module:
    """``module`` with norms of each image by itself for batch norms, and with tanh for ReLU, which no rounding can
    switch on or off."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(1, child.num_features))
        else:
            setattr(module, name, nn.Tanh() if isinstance(child, nn.ReLU) else without_batch_norms(child))
    return module


def network_of(name: str, **changed: Any) -> Network:
    weighted = {"pair_weight": "itm"} if name in ("clip", "lgslip", "multi_positive") else {}
    return build_network(run_of(name, **{name: HEADS[name]}, **weighted, **changed), SIZES).train()


def plain(name: str) -> Network:
    """The network of a method without batch norms."""
    network = network_of(name)
    without_batch_norms(network)
    return network


def batch_of(name: str, step: int) -> Batch:
    """A batch with all that a method may learn from; some captions are equal."""
    random = torch.Generator().manual_seed(step)
    number = len(METHODS[name].views)
    # Gradients would be small differences of large numbers if all images were alike.
    views = torch.randn(number, PAIRS, 3, 32, 32, generator=random) + torch.randn(
        number, PAIRS, 3, 1, 1, generator=random
    )
    every = {
        "tokens": torch.randint(3, 300, (PAIRS, 8), generator=random),
        "caption_ids": torch.randint(0, 4, (PAIRS,), generator=random),
        "vectors": torch.randn(PAIRS, 24, generator=random),
        "labels": torch.randint(0, 4, (PAIRS,), generator=random),
    }
    assert every.keys() == SIGNAL_INPUTS.keys()
    learned = {signal: every[signal] for signal in METHODS[name].learns}
    return Batch(tuple(views), step, scores=torch.rand(PAIRS, generator=random), **learned)


def outcome(name: str, network: Network, parts: int, steps: int = STEPS, processes: int = 1) -> dict[str, torch.Tensor]:
    """Losses (of this process) and gradients of some steps without an update, and the buffers after them."""
    accelerator, made = Accelerator(cpu=True, kwargs_handlers=[WITHOUT_BUFFERS]), {}
    wrapped = accelerator.prepare(network) if processes > 1 else network
    for step in range(1, steps + 1):
        network.zero_grad()
        own = share(batch_of(name, step), accelerator.process_index, processes)
        made[f"{step}.loss"] = backward(accelerator, wrapped, network, own, parts).detach()
        gradients = {path: weight.grad for path, weight in network.named_parameters()}
        assert not [path for path, gradient in gradients.items() if gradient is None]
        made |= {f"{step}.{path}": gradient.clone() for path, gradient in gradients.items() if gradient is not None}
    return made | {path: buffer.clone() for path, buffer in network.named_buffers()}


def share(batch: Batch, rank: int, processes: int) -> Batch:
    """A process's part of a batch."""
    size = PAIRS // processes
    rows = slice(rank * size, (rank + 1) * size)
    cut = {name: one[rows] for name, one in batch._asdict().items() if isinstance(one, torch.Tensor)}
    return batch._replace(views=tuple(view[rows] for view in batch.views), **cut)


def save_outcomes(rank: int, folder: Path) -> None:
    torch.save({name: outcome(name, plain(name), 3, processes=2) for name in TRAINED}, folder / f"{rank}.pt")


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], relative: float) -> None:
    assert found.keys() == expected.keys()
    for path, right in expected.items():
        error = (found[path].double() - right.double()).norm()
        assert error <= relative * right.double().norm(), (path, float(error), float(right.double().norm()))


@pytest.mark.parametrize("name", TRAINED)
def test_micro_batches_give_the_gradients_losses_and_queues_of_the_batch(name: str) -> None:
    whole, parts = (outcome(name, plain(name), number) for number in (1, 3))
    assert_close(parts, whole, 1e-5)
    assert any("queue" in path for path in whole) == ("queue" in HEADS[name])


def test_gradients_in_two_processes_equal_those_of_the_whole_batch(tmp_path: Path) -> None:
    together(save_outcomes, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for name in TRAINED:
        expected = outcome(name, plain(name), 1)
        for path in expected:
            if path.endswith(".loss"):
                first[name][path] = (first[name][path] + second[name][path]) / 2
            else:
                assert torch.equal(first[name][path], second[name][path]), path
        assert_close(first[name], expected, 1e-5)


def test_gradients_in_mixed_precision_are_near_those_in_float32() -> None:
    exact = outcome("clip", plain("clip"), 3, 1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = outcome("clip", plain("clip"), 3, 1)
    assert {one.dtype for one in mixed.values()} <= {torch.float32, torch.float64}
    assert 1e-6 < abs(mixed["1.loss"] / exact["1.loss"] - 1) < 0.01
    for path, right in exact.items():
        assert (mixed[path] - right).norm() < 0.1 * right.norm(), path


def of_parts(network: nn.Module, embed: Any = None) -> Network:
    """``network`` as the backbone of a method whose loss is the product of all embeddings' sums."""
    return Network(
        network,
        {},
        embed or (lambda net, batch: tuple(net.backbone(view) for view in batch.views)),
        lambda net, batch, rows: torch.stack([one.square().sum() for one in rows]).prod(),
    )


def test_statistics_of_batch_norms_are_of_micro_batches_and_move_once() -> None:
    norm, rows = nn.BatchNorm1d(5, momentum=0.3), torch.randn(8, 5, generator=torch.Generator().manual_seed(0)) + 2
    norm.running_mean = start = torch.arange(5.0)
    start = start.clone()
    network = of_parts(norm).train()
    backward(Accelerator(cpu=True), network, network, Batch((rows,), 1), 2)
    micro = [rows[0::2], rows[1::2]]
    torch.testing.assert_close(norm.running_mean, 0.7 * start + 0.3 * rows.mean(0))
    torch.testing.assert_close(norm.running_var, 0.7 + 0.3 * sum(one.var(0) for one in micro) / 2)
    assert norm.num_batches_tracked == 1
    gradient = norm.weight.grad
    norm.zero_grad()
    torch.stack([norm(one).square().sum() for one in micro]).sum().backward()
    torch.testing.assert_close(gradient, norm.weight.grad)


def test_running_statistics_are_copied_together() -> None:
    norms = nn.Sequential(*(nn.BatchNorm1d(3) for _ in range(5)))
    statistics = RunningStatistics(norms)
    with Operations() as called:
        statistics.restore()
        norms(torch.randn(4, 3))
        statistics.add()
        statistics.finish(2)
    assert [called.names.count(name) for name in ("_foreach_copy_", "_foreach_add_", "copy_")] == [3, 1, 0]
    assert norms[0].running_var is not None and norms[0].num_batches_tracked == 1


def test_dropout_is_equal_in_both_passes_and_differs_in_the_next_step() -> None:
    torch.manual_seed(0)
    seen: list[torch.Tensor] = []
    dropout = nn.Dropout(0.5)
    dropout.register_forward_hook(lambda _, __, output: seen.append(output.detach().clone()))
    network = of_parts(nn.Sequential(nn.Linear(6, 6), dropout)).train()
    for _ in range(2):
        backward(Accelerator(cpu=True), network, network, Batch((torch.ones(4, 6), torch.ones(4, 6)), 1), 2)
    first, second = seen[:4], seen[4:8]
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert len(seen) == 16 and not torch.equal(first[0], seen[8])
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


@pytest.mark.parametrize("parts", [1, 3])
def test_only_a_micro_batch_of_feature_maps_is_kept_for_gradients(parts: int) -> None:
    kept: set[int] = set()

    def count(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 4 and tensor.shape[-1] > 3:  # not the weights of convolutions
            kept.add(len(tensor))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        outcome("simclr", network_of("simclr"), parts, 1)
    assert kept == {2 * PAIRS // parts}


def test_micro_batches_have_the_same_pairs_for_any_number_of_processes() -> None:
    whole = Batch((torch.arange(PAIRS), -torch.arange(PAIRS)), 7, labels=torch.arange(PAIRS))
    for number in range(3):
        alone = whole.every(3, number)
        parts = [share(whole, rank, 2).every(3, number) for rank in range(2)]
        assert alone.step == 7 and alone.tokens is None and alone.labels is not None
        assert alone.labels.tolist() == [number, number + 3, number + 6, number + 9]
        assert [view.tolist() for view in alone.views] == [alone.labels.tolist(), (-alone.labels).tolist()]
        assert alone.labels.tolist() == [label for part in parts for label in part.labels.tolist()]  # type: ignore[union-attr]


def test_the_micro_batch_size_is_in_the_key_only_if_given() -> None:
    """Its gradients are those of the whole batch but for rounding and the statistics of batch norms."""
    assert "micro_batch_size" not in STAGE.not_in_key
    assert "micro_batch_size" not in run_of("simclr").model_dump()
    assert run_of("simclr", micro_batch_size=64).model_dump()["micro_batch_size"] == 64


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"batch_size": 12, "micro_batch_size": 8}, "micro_batch_size 8 is not a smaller divisor of batch_size 12"),
        ({"batch_size": 8, "micro_batch_size": 8}, "micro_batch_size 8 is not a smaller divisor of batch_size 8"),
        ({"batch_size": 18, "micro_batch_size": 3, "processes": 2}, "3 is not a multiple of processes 2"),
        ({"micro_batch_size": 1}, "greater than or equal to 2"),
    ],
)
def test_sizes_that_do_not_divide_a_batch_are_errors(changed: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        run_of("simclr", **changed)
