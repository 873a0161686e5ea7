"""Linear layers that run on a GPU's bfloat16 units and are nearly as exact as float32.

A float32 number is the sum of two bfloat16 numbers but for its last bits, about 2^-17 of it. A product of two such sums
is computed from three bfloat16 products, added up in float32; the fourth, of the two small parts, is below that error
(Henry et al. 2019, arXiv 1904.06376).
"""

import torch
from torch import nn

from workflow_scripts.models.checkpoints import dtype_of

FOR_BIAS = 8  # columns, of which three are used: cuBLAS is fast where rows begin at multiples of 16 bytes


class SplitLinear(nn.Module):
    """``nn.Linear`` with each weight and each input as the sum of two bfloat16 numbers.

    The bias is part of the product, as weights of inputs that are 1: adding it to the result would move as much memory
    as all the rest.
    """

    weights: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        high, low = split(linear.weight.detach())
        parts = [high, low, high]
        if linear.bias is not None:
            first, rest = split(linear.bias.detach())
            last = linear.bias.detach() - first.float() - rest.float()
            used = torch.stack([first, rest, last.to(torch.bfloat16)], dim=1)
            parts.append(nn.functional.pad(used, (0, FOR_BIAS - 3)))
        self.register_buffer("weights", torch.cat(parts, dim=1))
        # Without values: some models ask for its type.
        self.weight = nn.Parameter(linear.weight.detach().to("meta"), requires_grad=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., d) float32 -> (..., outputs) float32."""
        flat = inputs.flatten(end_dim=-2)
        size = flat.shape[1]
        # Each part is written where the product reads it, by one kernel each.
        rows = flat.new_empty(len(flat), self.weights.shape[1], dtype=torch.bfloat16)
        rows[:, : 2 * size].unflatten(1, (2, size)).copy_(flat[:, None])
        torch.sub(flat, rows[:, :size], out=rows[:, 2 * size : 3 * size])
        rows[:, 3 * size :].fill_(1)
        return _product(rows, self.weights.T).unflatten(0, inputs.shape[:-1])


def split(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 -> two bfloat16 tensors whose sum differs from it by about 2^-17 of each value."""
    high = values.to(torch.bfloat16)
    return high, (values - high.float()).to(torch.bfloat16)


def split_on_gpu(model: nn.Module, device: str) -> None:
    """Replace every ``nn.Linear`` of a float32 ``model`` on ``device``, in place, where that is a GPU.

    Classes derived from it are left: attention of PyTorch's own reads their weights.
    """
    if dtype_of(device) == torch.float32:
        return
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, SplitLinear(child))


def _product(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(n, k) and (k, m) bfloat16 -> (n, m) float32, added up in float32."""
    if rows.is_cuda:
        return torch.mm(rows, columns, out_dtype=torch.float32)
    # PyTorch has no such product on CPUs; this one is equal but for the order of sums.
    return rows.float() @ columns.float()
