"""A library of architectures: how to build one without its classifier, and what Grad-CAM needs of it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Library:
    """Networks that a library builds by name: ``<library>:<architecture>`` in configs and ``run.json``.

    Attributes:
        name: the part before the colon.
        summary: one phrase.
        check: refuses an architecture, or ``<architecture>.<weights>``, that the library does not know, with a
            :class:`PipelineError`; None if the library has one architecture.
        build: (architecture, side of an image in pixels, further settings as JSON) -> the network without its
            classifier, (n, 3, h, w) -> (n, features) float32, with random weights from torch's global generator.
        layer: path of the module that Grad-CAM explains by default; empty if it is unknown.
        to_map: output of such a module of the network -> (n, c, h, w).
        trains: whether a run can train its architectures by name alone.
    """

    name: str
    summary: str
    check: "Callable[[str], None] | None"
    build: "Callable[[str, int, Mapping[str, Any]], nn.Module]"
    layer: "Callable[[nn.Module], str]"
    to_map: "Callable[[nn.Module, Any], Tensor]"
    trains: bool


def unknown(what: str, name: str, names: Iterable[str]) -> PipelineError:
    """The error for a name that a library does not know, with the closest of its names."""
    names = [*names]
    close = get_close_matches(name, names, 3)
    advice = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(names[:10])}, ..."
    return PipelineError(f"unknown {what}", "the config", name, advice)


def as_map(output: Any, prefix: int, last: bool = False) -> "Tensor":
    """A layer's output as (n, c, h, w).

    Args:
        output: (n, c, h, w), (n, h, w, c) or tokens (n, prefix + h w, c); of a tuple, the first.
        prefix: tokens before those of the grid, such as the class token.
        last: whether channels come last in an output of four dimensions.

    Raises:
        PipelineError: the tokens form no square.
    """
    values: Tensor = output[0] if isinstance(output, tuple) else output
    if values.ndim == 4:
        return values.permute(0, 3, 1, 2) if last else values
    side = math.isqrt(max(0, values.shape[1] - prefix)) if values.ndim == 3 else 0
    if side == 0 or side * side != values.shape[1] - prefix:
        value = f"shape {tuple(values.shape)}, of which {prefix} tokens come before the grid"
        raise PipelineError(
            "no map in a layer", "networks, layer", value, "name a layer whose output is a map or a square of tokens"
        )
    return values[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
