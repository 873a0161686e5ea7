"""A library of architectures: how to build one without its classifier, and what Grad-CAM needs of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Library:
    """Networks that a library builds by name: ``<library>:<architecture>`` in configs and ``run.json``.

    Attributes:
        name: the part before the colon.
        summary: one phrase.
        build: (architecture, side of an image in pixels, further settings as JSON) -> the network without its
            classifier, (n, 3, h, w) -> (n, features) float32, with random weights from torch's global generator.
        layer: path of the module that Grad-CAM explains by default; empty if it is unknown.
        to_map: output of such a module of the network -> (n, c, h, w).
        trains: whether a run can train its architectures by name alone.
    """

    name: str
    summary: str
    build: "Callable[[str, int, Mapping[str, Any]], nn.Module]"
    layer: "Callable[[nn.Module], str]"
    to_map: "Callable[[nn.Module, Any], Tensor]"
    trains: bool
