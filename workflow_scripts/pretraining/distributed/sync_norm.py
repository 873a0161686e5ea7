"""Batch norm over all processes that also runs on CPU, where torch's SyncBatchNorm refuses to."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workflow_scripts.pretraining.distributed.gather import all_sum


class AllReduceBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of the joined batch of all processes, differentiably.

    Takes (n, c) or (n, c, h, w); every process must have the same shape. In evaluation mode it is plain batch norm.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected (n, c) or (n, c, h, w), got shape {tuple(input.shape)}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        dims = [0, *range(2, input.dim())]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = all_sum(torch.tensor(float(input.numel() // input.shape[1]), device=input.device))
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        mean = all_sum(values.sum(dims)) / count
        centred = values - mean.view(shape)
        variance = all_sum(centred.square().sum(dims)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        out = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        if (
            not self.track_running_stats
            or self.running_mean is None
            or self.running_var is None
            or self.num_batches_tracked is None
        ):
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def convert(module: nn.Module) -> Any:
    """``module`` with every batch norm replaced by :class:`AllReduceBatchNorm` with the same parameters and names."""
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        made = AllReduceBatchNorm(
            module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
        )
        # The tensors themselves move over, so type and device stay what they were.
        made.weight, made.bias = module.weight, module.bias
        for name, buffer in module.named_buffers():
            setattr(made, name, buffer)
        return made.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, convert(child))
    return module
