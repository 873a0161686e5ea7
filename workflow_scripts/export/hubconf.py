"""Loads a network that Faithful Pairs exported: ``torch.hub.load(FOLDER, "network", source="local")``.

This file is copied into each exported folder. Of the project's other files it needs at most ``small_resnet.py``.
"""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file

dependencies = ["torch", "safetensors"]  # for torch.hub; torchvision or timm too, where the network is theirs
WEIGHTS, CONFIG, SECTION = "model.safetensors", "config.json", "faithful_pairs"
SIZES = ("img_size", "image_size")  # options that exports have
NAME = re.compile(r"\w+")


def network(folder: str | Path = "") -> torch.nn.Module:
    """The network in evaluation mode: (n, 3, h, w) float32 normalised images -> (n, d) float32 features.

    Args:
        folder: an exported folder; empty: the one that holds this file.

    Raises:
        ValueError: its config.json asks for more than an architecture: other arguments could fetch or read files.
    """
    where = Path(folder) if folder else Path(__file__).parent
    about = json.loads((where / CONFIG).read_text(encoding="utf-8"))[SECTION]
    if not NAME.fullmatch(about["architecture"]) or not set(about["options"]) <= set(SIZES):
        raise ValueError(f"{where / CONFIG}: not an export: {about['architecture']!r} with {about['options']!r}")
    model = build(about["library"], about["architecture"], about["options"], about["classifier"])
    model.load_state_dict(load_file(where / WEIGHTS))
    return model.eval()


def build(library: str, architecture: str, options: dict[str, int], classifier: str) -> torch.nn.Module:
    """The architecture without its classifier, with random weights.

    Args:
        library: torchvision, timm, or small_resnet for the file of that name beside this one.
        architecture: name in that library.
        options: further arguments, such as the size of its images.
        classifier: path of the module that is replaced by an identity; empty if there is none.
    """
    if library == "timm":
        import timm

        return timm.create_model(architecture, num_classes=0, **options)
    if library == "torchvision":
        from torchvision import models

        model: torch.nn.Module = models.get_model(architecture, weights=None, **options)
        model.set_submodule(classifier, torch.nn.Identity())
        return model
    # The project uses its own module, even where Python was started in an exported folder and would find that one's.
    if __name__ == "workflow_scripts.export.hubconf":
        from workflow_scripts.models.small_resnet import SmallResNet
    else:
        from small_resnet import SmallResNet  # type: ignore[import-not-found, no-redef]
    return SmallResNet(**options)
