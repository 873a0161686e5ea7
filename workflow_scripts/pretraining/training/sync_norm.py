"""Batch norm over all processes that also runs on CPU, where torch's SyncBatchNorm refuses to."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.losses.gather import all_sum


class AllReduceBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of the joined batch of all processes, differentiably.

    Takes (n, c, ...); every process must have the same shape. In evaluation mode it is plain batch norm. ``drop`` and
    ``act`` follow it where it has them, as timm's batch norms do.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (n, c, ...), got shape {tuple(input.shape)}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        normalised = self._joined(input) if self.training else super().forward(input)
        for name in ("drop", "act"):
            normalised = getattr(self, name, nn.Identity())(normalised)
        return normalised

    def _joined(self, input: torch.Tensor) -> torch.Tensor:
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
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def convert(module: nn.Module, cpu: bool = True) -> Any:
    """``module`` with every batch norm replaced by one over all processes, with the same parameters and names.

    Raises:
        PipelineError: a norm that has running statistics, but is no batch norm of torch or timm: it would be left as it
            is, or other parts of it would get lost.
    """
    from timm.layers import BatchNormAct2d, convert_sync_batchnorm

    for name, norm in module.named_modules():
        joint = isinstance(norm, _BatchNorm) or getattr(norm, "running_var", None) is not None
        if joint and type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, BatchNormAct2d):
            advice = "train this backbone in one process, or choose another one"
            raise PipelineError("batch norm that can't be shared by processes", name, type(norm).__name__, advice)
    module = convert_sync_batchnorm(module)
    for norm in module.modules():
        if cpu and isinstance(norm, nn.SyncBatchNorm):
            norm.__class__ = AllReduceBatchNorm  # type: ignore[assignment] # of the same parts
    return module
