"""A network from elsewhere with the input and output of our backbones."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.preprocessing import MEAN, STD


class Foreign(nn.Module):
    """Images normalised as ours -> features, which may be the output of an inner layer.

    Args:
        network: (n, 3, h, w) float32, normalised with ``mean`` and ``std``, -> (n, d).
        mean: of the three channels, for values in 0..1.
        std: deviation of the three channels.
        features: path of a module whose output are the features, averaged over space; empty: the network's output.
        to_map: outputs of four dimensions of such a module -> (n, c, h, w).

    Raises:
        PipelineError: the network has no such module; on use, it does not run it, or its output is no tensor.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        features: str,
        to_map: Callable[[Any], torch.Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        ours, theirs = (
            (torch.tensor(m).view(3, 1, 1), torch.tensor(s).view(3, 1, 1)) for m, s in ((MEAN, STD), (mean, std))
        )
        self.register_buffer("scale", ours[1] / theirs[1], persistent=False)
        self.register_buffer("shift", (ours[0] - theirs[0]) / theirs[1], persistent=False)
        self._seen: Any = None
        self._inner, self._to_map = features, to_map
        if features:
            submodule(network, features, "features").register_forward_hook(self._note)

    def _note(self, module: nn.Module, given: object, output: Any) -> None:
        self._seen = output[0] if isinstance(output, tuple) else output

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) float32 -> (n, d) float32."""
        output: torch.Tensor = self.network(images * self.scale + self.shift)
        if not self._inner:
            return output
        seen, self._seen = self._seen, None
        if not isinstance(seen, torch.Tensor):
            value = f"{self._inner}: {'it is not run' if seen is None else type(seen).__name__}"
            advice = "name a module that runs and whose output is a tensor"
            raise PipelineError("no features in a layer", "networks, features", value, advice)
        if seen.ndim == 4:
            return self._to_map(seen).mean(dim=(2, 3))
        return seen.mean(dim=1) if seen.ndim == 3 else seen


def submodule(network: nn.Module, path: str, setting: str) -> nn.Module:
    """The module at ``path``.

    Raises:
        PipelineError: there is none.
    """
    try:
        return network.get_submodule(path)
    except AttributeError:
        names = [name for name, _ in network.named_children()]
        advice = f"give the path of a module, which begins with one of {', '.join(names)}"
        raise PipelineError("unknown layer of a network", f"networks, {setting}", path, advice) from None
