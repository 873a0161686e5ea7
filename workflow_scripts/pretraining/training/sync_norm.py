"""Batch norm over all processes that also runs on CPU, where torch's SyncBatchNorm refuses to."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.losses.gather import all_sum


class AllReduceBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of the joined batch of all processes, differentiably.

    Takes (n, c) or (n, c, h, w); every process must have the same shape. In evaluation mode it is plain batch norm.
    As in timm's batch norms, ``drop`` and ``act`` follow it.
    """

    def __init__(self, *shape: Any) -> None:
        super().__init__(*shape)
        self.drop: nn.Module = nn.Identity()
        self.act: nn.Module = nn.Identity()

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected (n, c) or (n, c, h, w), got shape {tuple(input.shape)}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        normalised = self._joined(input) if self.training else super().forward(input)
        return self.act(self.drop(normalised))

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


def convert(module: nn.Module, cpu: bool = True) -> Any:
    """``module`` with every batch norm replaced by one over all processes, with the same parameters and names.

    Raises:
        PipelineError: a batch norm of a kind whose other parts would get lost.
    """
    from timm.layers import BatchNormAct2d, convert_sync_batchnorm

    for name, norm in module.named_modules():
        if isinstance(norm, _BatchNorm) and type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, BatchNormAct2d):
            advice = "train this backbone in one process, or choose another one"
            raise PipelineError("batch norm that can't be shared by processes", name, type(norm).__name__, advice)
    return _replaced(module) if cpu else convert_sync_batchnorm(module)


def _replaced(module: nn.Module) -> Any:
    if isinstance(module, _BatchNorm):
        norm = AllReduceBatchNorm(
            module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
        )
        # The tensors themselves move over, so type and device stay what they were.
        norm.weight, norm.bias = module.weight, module.bias
        for name, buffer in module.named_buffers():
            setattr(norm, name, buffer)
        for name, part in module.named_children():  # timm's drop and act
            setattr(norm, name, part)
        return norm.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module
