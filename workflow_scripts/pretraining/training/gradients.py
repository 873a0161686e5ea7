"""Gradients of a step: of the whole batch at once, or from micro-batches (Gao et al. 2021, "Scaling Deep Contrastive
Learning Batch Size under Memory Limited Setup", arXiv 2101.06983)."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import get_device_states, set_device_states

from workflow_scripts.pretraining.network import Batch, Network


def backward(accelerator: Accelerator, wrapped: nn.Module, network: Network, batch: Batch, parts: int = 1) -> Tensor:
    """Compute the gradients of the loss of a batch; returns the loss, a scalar.

    In several parts, the network first embeds each without gradients. The loss of all embeddings is that of the whole
    batch; its gradients with respect to the embeddings are kept, and then passed back through one part after the other,
    which is embedded again. So only the values inside the network for one part are in memory at a time. Processes
    exchange gradients once.

    Args:
        wrapped: ``network`` as ``accelerator`` prepared it.
        batch: this process's part of a batch, b pairs.
        parts: number of micro-batches, a divisor of b.
    """
    if parts == 1:
        loss: Tensor = wrapped(batch)
        accelerator.backward(loss)
        return loss
    several = [batch.every(parts, number) for number in range(parts)]
    statistics = RunningStatistics(network)
    rows, states = [], []
    with torch.no_grad(), accelerator.autocast():
        for part in several:
            states.append((torch.get_rng_state(), *get_device_states(*part.views)))  # so that dropout is the same twice
            rows.append(network.embedded(part))
    loss, of_rows, of_weights = _of_loss(network, batch, [_together(column) for column in zip(*rows, strict=True)])
    for number, (part, (on_cpu, devices, on_devices)) in enumerate(zip(several, states, strict=True)):
        statistics.restore()
        torch.set_rng_state(on_cpu)
        set_device_states(devices, on_devices)
        last = number == parts - 1
        with nullcontext() if last else accelerator.no_sync(wrapped):
            products = wrapped(part, [None if every is None else every[number::parts] for every in of_rows])
            if last:  # in the pass whose gradients are exchanged, each weight must get one
                products = products + of_weights
            accelerator.backward(products)
        statistics.add()
    statistics.finish(parts)
    return loss


def _of_loss(network: Network, batch: Batch, rows: Sequence[Tensor]) -> tuple[Tensor, list[Tensor | None], Tensor]:
    """The loss, its gradients by ``rows``, and a scalar that has its gradients by the weights that it uses itself."""
    leaves = [row.requires_grad_() for row in rows]
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    loss = network.compared(batch, leaves)
    found = torch.autograd.grad(loss, [*leaves, *weights], allow_unused=True)
    own = zip(weights, found[len(leaves) :], strict=True)
    products = [(weight * gradient).sum() for weight, gradient in own if gradient is not None]
    return loss.detach(), list(found[: len(leaves)]), sum(products, loss.new_zeros(()))


def _together(parts: Sequence[Tensor]) -> Tensor:
    """Rows of micro-batches (:meth:`Batch.every`) in the order of the batch."""
    return torch.stack(list(parts), dim=1).flatten(0, 1)


class RunningStatistics:
    """The running statistics of batch norms in a step.

    Each micro-batch changes those that the step began with. At its end they are the mean over micro-batches, so they
    move as far as in a step with the whole batch, and as often.
    """

    def __init__(self, network: nn.Module) -> None:
        norms = [norm for norm in network.modules() if isinstance(norm, _BatchNorm)]
        buffers = [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
        # Of one type each, lists are changed in one operation on a GPU.
        self._means = [buffer for buffer in buffers if buffer.is_floating_point()]
        self._counts = [buffer for buffer in buffers if not buffer.is_floating_point()]
        self._before = [[buffer.clone() for buffer in some] for some in (self._means, self._counts)]
        self._sums = [torch.zeros_like(buffer) for buffer in self._means]

    def restore(self) -> None:
        """Go back to those that the step began with."""
        for some, before in zip((self._means, self._counts), self._before, strict=True):
            _copy(some, before)

    def add(self) -> None:
        """Remember what a micro-batch has made of them."""
        if self._sums:
            torch._foreach_add_(self._sums, self._means)

    def finish(self, parts: int) -> None:
        """Set them to the mean over micro-batches; the count of batches is the same in each."""
        if self._sums:
            torch._foreach_div_(self._sums, parts)
            _copy(self._means, self._sums)


def _copy(some: list[Tensor], values: list[Tensor]) -> None:
    if some:
        torch._foreach_copy_(some, values)
