"""CLIP's image tower (Radford et al. 2021), as transformers' CLIPVisionModel."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.models.networks.library import Library, as_map

if TYPE_CHECKING:
    from torch import Tensor, nn


def build(architecture: str, image_size: int, options: Mapping[str, Any]) -> "nn.Module":
    """The tower; its features are the class token after the last norm, before the projection, as in CLIP's probes.

    Args:
        options: fields of transformers' CLIPVisionConfig.

    Raises:
        PipelineError: transformers builds no tower of these.
    """
    from torch import nn
    from transformers import CLIPVisionConfig, CLIPVisionModel

    try:
        model = CLIPVisionModel(CLIPVisionConfig(**{**options, "image_size": image_size}))
    except Exception as error:  # noqa: BLE001 - numbers of others can make a library fail in any way
        value, advice = one_line(str(error))[:200], "fetch config.json again, or give an image size that fits it"
        raise PipelineError("impossible CLIP network", "config.json", value, advice) from None

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision = getattr(model, "vision_model", model)  # earlier versions have a model in the model

        def forward(self, images: "Tensor") -> "Tensor":
            pooled: Tensor = self.vision(pixel_values=images).pooler_output
            return pooled

    return Tower()


def layer(network: "nn.Module") -> str:
    """The last block's first norm: behind it only the class token counts."""
    return [name for name, _ in network.named_modules() if name.endswith("layer_norm1")][-1]


def to_map(network: "nn.Module", output: Any) -> "Tensor":
    """See :func:`~workflow_scripts.models.networks.library.as_map`."""
    return as_map(output, prefix=1)


LIBRARY = Library(
    name="clip",
    summary="CLIP's image tower",
    check=None,
    build=build,
    layer=layer,
    to_map=to_map,
    trains=False,
)
