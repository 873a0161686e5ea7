"""Linear layers that run on a GPU's bfloat16 units and are nearly as exact as float32.

A float32 number is the sum of two bfloat16 numbers but for its last bits, about 2^-17 of it. A product of two such
sums is computed from three bfloat16 products, added up in float32; the fourth, of the two small parts, is below that
error (Henry et al. 2019, arXiv 1904.06376).
"""

import torch
from torch import nn


class SplitLinear(nn.Module):
    """``nn.Linear`` with each weight and each input as the sum of two bfloat16 numbers."""

    weights: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        high, low = split(linear.weight.detach())
        self.register_buffer("weights", torch.cat([high, low, high], dim=1))
        self.bias = linear.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., d) float32 -> (..., outputs) float32."""
        high, low = split(inputs)
        rows = torch.cat([high, high, low], dim=-1).flatten(end_dim=-2)
        found = _product(rows, self.weights.T)
        return (found if self.bias is None else found + self.bias).unflatten(0, inputs.shape[:-1])


def split(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 -> two bfloat16 tensors whose sum differs from it by about 2^-17 of each value."""
    high = values.to(torch.bfloat16)
    return high, (values - high.float()).to(torch.bfloat16)


def split_linear_layers(model: nn.Module) -> None:
    """Replace every ``nn.Linear`` of a float32 ``model``, in place."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, SplitLinear(child))


def _product(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(n, k) and (k, m) bfloat16 -> (n, m) float32, added up in float32."""
    if rows.is_cuda:
        return torch.mm(rows, columns, out_dtype=torch.float32)
    # PyTorch has no such product on CPUs; this one is equal but for the order of sums.
    return rows.float() @ columns.float()
