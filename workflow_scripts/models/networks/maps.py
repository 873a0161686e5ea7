"""Turns the output of a layer into a map of channels: tokens into their grid, channels before space."""

import math
from typing import Any

import torch

from workflow_scripts.core.errors import PipelineError


def as_map(output: Any, prefix: int, last: bool = False) -> torch.Tensor:
    """A layer's output as (n, c, h, w).

    Args:
        output: (n, c, h, w), (n, h, w, c) or tokens (n, prefix + h w, c); of a tuple, the first.
        prefix: tokens before those of the grid, such as the class token.
        last: whether channels come last in an output of four dimensions.

    Raises:
        PipelineError: the tokens form no square.
    """
    values: torch.Tensor = output[0] if isinstance(output, tuple) else output
    if values.ndim == 4:
        return values.permute(0, 3, 1, 2) if last else values
    side = math.isqrt(max(0, values.shape[1] - prefix)) if values.ndim == 3 else 0
    if side == 0 or side * side != values.shape[1] - prefix:
        value = f"shape {tuple(values.shape)}, of which {prefix} tokens come before the grid"
        raise PipelineError(
            "no map in a layer", "networks, layer", value, "name a layer whose output is a map or a square of tokens"
        )
    return values[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
