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


def all_rows(rows: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(b, d) of every process -> (processes * b, d) in order of rank, and where this process's rows begin.

    Every process must have the same b. The gradient of a row is the sum over all processes' losses: averaged over
    processes (as DistributedDataParallel does), it is the gradient of the mean loss.
    """
    rank, processes = world()
    if processes == 1:
        return rows, 0
    start, every = rank * len(rows), rows.new_zeros(processes * len(rows), *rows.shape[1:])
    every[start : start + len(rows)] = rows
    return all_sum(every), start
