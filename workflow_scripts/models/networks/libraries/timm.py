"""timm (Wightman 2019, "PyTorch Image Models"): architectures by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_scripts.models.networks.library import Library, as_map, unknown

if TYPE_CHECKING:
    from torch import Tensor, nn

KNOWN = ("global_pool",)  # options of an architecture


def check(architecture: str) -> None:
    """Refuse an architecture, or weights of one, that timm does not know.

    Raises:
        PipelineError: with the closest names.
    """
    import timm

    name = architecture.partition(".")[0]
    if not timm.is_model(name):
        raise unknown("architecture of timm", name, timm.list_models())
    try:
        timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    except RuntimeError:  # an unknown tag
        of_name = timm.list_models(f"{name}.*", pretrained=True)
        raise unknown("weights of timm", architecture, of_name) from None


def build(architecture: str, image_size: int, options: Mapping[str, Any]) -> "nn.Module":
    """The network; ``image_size`` is passed on where it decides shapes of weights, as in vision transformers.

    Raises:
        PipelineError: timm knows no such architecture.
    """
    import timm

    check(architecture)
    wanted = {name: options[name] for name in KNOWN if name in options}
    if timm.get_pretrained_cfg(architecture).fixed_input_size:
        wanted["img_size"] = image_size
    network: nn.Module = timm.create_model(architecture, num_classes=0, **wanted)
    return network


def layer(network: "nn.Module") -> str:
    """In a transformer the last block's first norm, as only the class token counts behind it; else the last stage."""
    blocks: Any = getattr(network, "blocks", None)
    if hasattr(network, "num_prefix_tokens") and blocks is not None and hasattr(blocks[-1], "norm1"):
        return f"blocks.{len(blocks) - 1}.norm1"
    stages: Any = getattr(network, "feature_info", None)
    return str(stages[-1]["module"]) if stages else ""


def to_map(network: "nn.Module", output: Any) -> "Tensor":
    """See :func:`~workflow_scripts.models.networks.library.as_map`."""
    last = str(getattr(network, "output_fmt", "NCHW")).endswith("NHWC")
    return as_map(output, int(getattr(network, "num_prefix_tokens", 0)), last)


LIBRARY = Library(
    name="timm",
    summary="any architecture of timm",
    check=check,
    build=build,
    layer=layer,
    to_map=to_map,
    trains=True,
)
