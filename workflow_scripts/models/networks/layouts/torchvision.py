"""Weights as torchvision.models publishes them."""

from pathlib import Path

from workflow_scripts.models.networks.layout import Found, Layout, Preset, Usual


def find(architecture: str, source: Path | None) -> Found:
    """The architecture; a name such as ``resnet50.IMAGENET1K_V2`` also says how its weights see images."""
    from torchvision.models import get_model, get_model_weights

    from workflow_scripts.models.networks.libraries.torchvision import check, classifier

    check(architecture)
    name, _, tag = architecture.partition(".")
    preset = Preset()
    if tag:
        seen = get_model_weights(name)[tag].transforms()
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
