"""torchvision.models: architectures by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.networks.library import Library, as_map, unknown

if TYPE_CHECKING:
    from torch import Tensor, nn


def check(architecture: str) -> None:
    """Refuse a classifier, or weights of one, that torchvision does not have.

    Raises:
        PipelineError: with the closest names.
    """
    from torchvision import models

    name, _, weights = architecture.partition(".")
    known = models.list_models(module=models)
    if name not in known:
        raise unknown("architecture of torchvision", name, known)
    if weights and weights not in (names := [one.name for one in models.get_model_weights(name)]):
        raise unknown(f"weights of torchvision's {name}", weights, names)


def build(architecture: str, image_size: int, options: Mapping[str, Any]) -> "nn.Module":
    """The network with an identity in place of its last linear layer.

    Raises:
        PipelineError: torchvision has no such classifier.
    """
    from torch import nn
    from torchvision import models

    check(architecture)
    sized = {"image_size": image_size} if architecture.startswith("vit_") else {}
    network: nn.Module = models.get_model(architecture, weights=None, **sized)
    network.set_submodule(classifier(network, architecture), nn.Identity())
    return network


def classifier(network: "nn.Module", architecture: str) -> str:
    """Path of the last linear layer.

    Raises:
        PipelineError: there is none.
    """
    from torch import nn

    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        advice = "choose an architecture that ends with a linear layer"
        raise PipelineError("network without a linear classifier", "torchvision", architecture, advice)
    return linear[-1]


def layer(network: "nn.Module") -> str:
    """``layer4`` of a ResNet, ``features`` of most others, the last block's first norm of a vision transformer."""
    encoder: Any = getattr(getattr(network, "encoder", None), "layers", None)
    if encoder is not None:
        return f"encoder.layers.{list(dict(encoder.named_children()))[-1]}.ln_1"
    return next((name for name in ("layer4", "features") if hasattr(network, name)), "")


def to_map(network: "nn.Module", output: Any) -> "Tensor":
    """See :func:`~workflow_scripts.models.networks.library.as_map`."""
    kind = type(network).__name__
    return as_map(output, prefix=1 if kind == "VisionTransformer" else 0, last=kind == "SwinTransformer")


LIBRARY = Library(
    name="torchvision",
    summary="any classifier of torchvision.models",
    check=check,
    build=build,
    layer=layer,
    to_map=to_map,
    trains=True,
)
