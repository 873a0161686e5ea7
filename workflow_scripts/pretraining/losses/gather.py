"""Rows of all processes, with gradients that flow back to the process that made them."""

from typing import Any

import torch
import torch.distributed as dist


def world() -> tuple[int, int]:
    """Rank of this process and number of processes; 0 and 1 where there is no process group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class _Sum(torch.autograd.Function):
    """Sum over processes; each process's gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def all_sum(values: torch.Tensor) -> torch.Tensor:
    """Sum of ``values`` over processes, differentiable; ``values`` itself with one process."""
    return values if world()[1] == 1 else _Sum.apply(values)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        ctx.rows = len(rows)
        parts = [torch.empty_like(rows) for _ in range(world()[1])]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = world()[0] * ctx.rows
        return total[start : start + ctx.rows]


def all_rows(rows: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(b, d) of every process -> (processes * b, d) in order of rank, and where this process's rows begin.

    Every process must have the same b. The gradient of a row is the sum over all processes' losses: averaged over
    processes (as DistributedDataParallel does), it is the gradient of the mean loss.
    """
    rank, processes = world()
    if processes == 1:
        return rows, 0
    return _Rows.apply(rows), rank * len(rows)
