"""AdamW's parameter groups and the learning rate of a step."""

import math
from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: weights with decay; gains, biases and scalars (at most one dimension) without."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]


def learning_rate(step: int, *, peak: float, final: float, warmup: int, steps: int) -> float:
    """Learning rate of step ``step`` of 1..``steps``: linear up to ``peak`` at ``warmup``, then half a cosine down to
    ``final`` at the last step (Loshchilov and Hutter 2017, eq. 5)."""
    if step <= warmup:
        return peak * step / warmup
    done = (step - warmup) / (steps - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * done)) / 2
