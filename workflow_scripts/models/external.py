"""Loads a network that is not trained here, so that evaluations can treat it as a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone, grad_cam_layer, map_of
from workflow_scripts.models.foreign import Foreign, submodule
from workflow_scripts.models.networks.layout import Found, Usual
from workflow_scripts.models.networks.settings import LAYOUTS, ExternalNetwork
from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file
from workflow_scripts.stats.seeds import derive


def load_external(settings: ExternalNetwork, source: Path | None, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """The network of the config without its classifier, and what evaluations need to know about it (part of
    ``run.json``).

    Args:
        source: file or folder of the weights; None for random ones that need none.
        seed: of random weights.

    Raises:
        PipelineError: unknown architecture; unreadable, missing, unexpected or misshapen weights; or the library states
            other preprocessing for the weights than the layout's default, and the config does not set it.
    """
    layout = LAYOUTS[settings.layout]
    found = layout.find(settings.architecture, source)
    _check_view(settings, found, layout.usual)
    size = settings.view.size
    torch.manual_seed(derive(seed, "backbone"))
    network, _ = build_backbone(found.backbone, size, found.options)
    if settings.weights == "pretrained":
        if source is None:
            raise PipelineError("network without weights", f"networks, {settings.name}", "no source", "add its source")
        file = weights_file(source)
        fill(network, layout.rename(read_weights(file, settings.prefix)), found.classifier, file)
    return network.eval(), _about(settings, found, network, layout.usual)


def _about(settings: ExternalNetwork, found: Found, network: nn.Module, usual: Usual) -> dict[str, Any]:
    view = settings.view
    mean, std = settings.mean or found.preset.mean or usual.mean, settings.std or found.preset.std or usual.std
    layer = settings.layer or grad_cam_layer(found.backbone, network)
    if settings.layer:
        submodule(network, settings.layer, "layer")
    preprocessing = {
        "size": view.size,
        "resize": f"shorter side to {view.side}, {view.resize}",
        "crop": "centre",
        "mean": list(mean),
        "std": list(std),
    }
    with torch.no_grad():
        whole = Foreign(network, mean, std, settings.features, map_of(found.backbone, network))
        seen = whole(torch.zeros(1, 3, view.size, view.size))
    if seen.ndim != 2:
        value = f"shape {tuple(seen.shape)} of one image"
        advice = "name the module before the classifier: features, or correct global_pool in its config.json"
        raise PipelineError("features that are no vector", f"networks, {settings.name}", value, advice)
    return {
        "backbone": found.backbone,
        "options": dict(found.options),
        "features": settings.features,
        "feature_dim": int(seen.shape[1]),
        "layer": layer,
        "preprocessing": preprocessing,
    }


def _check_view(settings: ExternalNetwork, found: Found, usual: Usual) -> None:
    """Refuse a view that is only the layout's default if the library or the source states another.

    Views are planned before anything is read, so they can't be taken from there.
    """
    said: Mapping[str, Any] = found.preset._asdict()
    differ = {
        name: said[name]
        for name in ("image_size", "resize", "crop")
        if getattr(settings, name) is None and said[name] not in (None, getattr(usual, name))
    }
    if differ:
        lines = ", ".join(f"{name}: {round(value, 6) if name == 'crop' else value}" for name, value in differ.items())
        where = f"networks, {settings.name}"
        whose = "its weights" if settings.weights == "pretrained" else "pretrained weights of its architecture"
        value = f"{whose} were trained with {lines}"
        advice = f"set {{{lines}}} there, or the values that you want"
        raise PipelineError("preprocessing differs from training", where, value, advice)
