"""Weights as torchvision.models publishes them."""

from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.networks.layout import Found, Layout, Preset, Usual


def find(architecture: str, source: Path | None) -> Found:
    """The architecture; a name such as ``resnet50.IMAGENET1K_V2`` also says how its weights see images."""
    from torchvision.models import get_model, get_model_weights

    from workflow_scripts.models.networks.libraries.torchvision import LIBRARY, classifier

    name, _, tag = architecture.partition(".")
    LIBRARY.build(name, LAYOUT.usual.image_size, {})  # refuses what is unknown
    preset = Preset()
    if tag:
        known = {one.name: one for one in get_model_weights(name)}
        if tag not in known:
            advice = f"choose from {', '.join(known)}, or leave it out"
            raise PipelineError("unknown weights of torchvision", name, tag, advice)
        seen = known[tag].transforms()
        side, size = seen.resize_size[0], seen.crop_size[0]
        preset = Preset(size, seen.interpolation.value, size / side, tuple(seen.mean), tuple(seen.std))
    head = classifier(get_model(name, weights=None), name)
    return Found(backbone=f"torchvision:{name}", classifier=(f"{head}.", "AuxLogits.", "aux"), preset=preset)


LAYOUT = Layout(
    name="torchvision",
    summary="weights of torchvision.models, or a file whose names are those of one of its architectures",
    usual=Usual(224, "bilinear", 0.875, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    architecture="must",
    find=find,
)
