"""What BLIP-2's query transformer computes of an image whatever the text, once for any number of texts.

Its cross-attention reads an image by keys and values, linear functions of the vision states. With BLIP-2's sizes,
computing them once saves a fifth of the time of the matcher's query transformer for an image and two texts, measured on
a CPU.
"""

from typing import Any

import torch
from torch import nn


class Part(nn.Module):
    """Stands in for a key or value layer: its columns of what :func:`project` gives."""

    def __init__(self, layer: nn.Linear, number: int) -> None:
        super().__init__()
        self.layer = layer
        self.columns = slice(number * layer.out_features, (number + 1) * layer.out_features)

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """(n, patches + 1, w) of all layers -> (n, patches + 1, d) of this one."""
        return projected[..., self.columns]


def take_projections(transformer: Any) -> None:
    """Have a ``Blip2QFormerModel`` take what :func:`project` gives instead of vision states; changes it in place."""
    number = 0
    for block in transformer.encoder.layer:
        if block.has_cross_attention:
            attention = block.crossattention.attention
            for name in ("key", "value"):
                setattr(attention, name, Part(getattr(attention, name), number))
                number += 1


def project(transformer: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """(n, patches + 1, hidden) vision states -> (n, patches + 1, w): keys and values of all layers, side by side.

    ``transformer`` was changed by :func:`take_projections`.
    """
    parts = [module for module in transformer.modules() if isinstance(module, Part)]  # in the order of their columns
    made = states.new_empty(*states.shape[:-1], parts[-1].columns.stop)
    for part in parts:  # one at a time: all at once would need twice the memory
        made[..., part.columns] = part.layer(states)
    return made
