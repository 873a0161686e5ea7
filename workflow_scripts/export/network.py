"""Exports a run's network: weights, config, model card and a loader, checked before the folder is put in place."""

import inspect
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.copies import NetworkRecord, record_network
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export import hubconf
from workflow_scripts.export.card import model_card
from workflow_scripts.export.folder import CARD, check_target, replace_folder
from workflow_scripts.export.run import Run, learned_keys
from workflow_scripts.models import small_resnet
from workflow_scripts.models.backbones import BACKBONES, load_backbone
from workflow_scripts.models.networks.libraries import torchvision
from workflow_scripts.models.networks.view import View
from workflow_scripts.stats.seeds import derive

CLOSE = 1e-5  # largest difference of features, relative to the largest of them
SAMPLE = 4  # images


class Recipe(NamedTuple):
    """The arguments of :func:`workflow_scripts.export.hubconf.build`."""

    library: str
    architecture: str
    options: dict[str, int]
    classifier: str


def recipe_of(backbone: str, image_size: int) -> Recipe:
    """How to build a backbone of a run.

    Args:
        backbone: as in ``run.json``.
        image_size: side of its images in pixels.

    Raises:
        PipelineError: it is a module of the project that an exported folder does not carry.
    """
    library, colon, architecture = backbone.partition(":")
    if colon and library == "timm":
        sized = timm.get_pretrained_cfg(architecture).fixed_input_size
        return Recipe(library, architecture, {"img_size": image_size} if sized else {}, "")
    if colon:
        with torch.device("meta"):  # without values
            network = torchvision.build(architecture, image_size, {})
        options = {"image_size": image_size} if architecture.startswith("vit_") else {}
        identities = [name for name, module in network.named_modules() if isinstance(module, nn.Identity)]
        return Recipe(library, architecture, options, identities[-1])  # in the place of the classifier
    build = BACKBONES[backbone].build
    if isinstance(build, partial):  # of torchvision
        return Recipe("torchvision", str(build.args[0]), {}, "fc")
    if backbone != "resnet_small":
        advice = "add it to workflow_scripts/export/hubconf.py"
        raise PipelineError("backbone that can't be exported", "backbone", backbone, advice)
    return Recipe("small_resnet", backbone, {}, "")


def sample(image_size: int) -> torch.Tensor:
    """The same few random images each time: (SAMPLE, 3, s, s) float32."""
    generator = torch.Generator().manual_seed(derive(0, "export"))
    return torch.randn(SAMPLE, 3, image_size, image_size, generator=generator)


@torch.no_grad()
def same_features(one: nn.Module, other: nn.Module, images: torch.Tensor) -> bool:
    """Whether two networks in evaluation mode give the same features, up to :data:`CLOSE`."""
    expected, found = one(images), other(images)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= CLOSE * expected.abs().max())


def loads_in_timm(folder: Path, network: nn.Module, size: int) -> bool:
    """Whether timm loads an exported folder, and the network that it builds gives the features of ``network``."""
    try:
        loaded = timm.create_model(f"local-dir:{folder}", pretrained=True)
    except (RuntimeError, ValueError, TypeError):  # no such architecture, or one that takes other weights
        return False
    return same_features(network, loaded.eval(), sample(size))


def crop_share(view: View) -> float:
    """The share of the resized shorter side that the crop keeps, so that timm, which rounds down, finds that side."""
    share = view.size / view.side
    return share if math.floor(view.size / share) == view.side else view.size / (view.side + 0.5)


def timm_config(recipe: Recipe, width: int, view: View, seen: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """``config.json`` in timm's form, with a section of our own for plain PyTorch.

    Args:
        width: of the features.
        view: how evaluation saw images.
        seen: mean and std of the channels.
        about: more of the section.
    """
    known = timm.get_pretrained_cfg(recipe.architecture) if timm.is_model(recipe.architecture) else None
    heads = {"classifier": known.classifier, "first_conv": known.first_conv} if known else {}
    images = {
        "input_size": [3, view.size, view.size],
        "fixed_input_size": bool(known and known.fixed_input_size),
        "interpolation": view.resize,
        "crop_pct": crop_share(view),
        "crop_mode": "center",
        "mean": list(seen["mean"]),
        "std": list(seen["std"]),
    }
    return {
        "architecture": recipe.architecture,
        "num_classes": 0,
        "num_features": width,
        **({"model_args": recipe.options} if recipe.library == "timm" and recipe.options else {}),
        "pretrained_cfg": {"num_classes": 0, **images, **heads},
        hubconf.SECTION: {**recipe._asdict(), **about},
    }


def export(run: Run, folder: Path, licence: str) -> tuple[int, bool]:
    """Write the network of a run to ``folder``; returns the number of images behind it, and whether timm loads it.

    Raises:
        PipelineError: the folder has other files, the weights are damaged, or what was written does not give the
            features of the run's network.
    """
    check_target(folder, hubconf.WEIGHTS)
    network, _ = load_backbone(run.weights, Artifact(run.node.path).path("/run.json"))
    recipe = recipe_of(run.metadata["backbone"], int(run.metadata["preprocessing"]["size"]))
    view, width = run.view, int(run.metadata["feature_dim"])
    keys = learned_keys(run.behind)
    about = {"study": run.node.study.name, "run": run.name, "checkpoint": run.checkpoint, "root": run.root}
    timm_loads = False

    def write(part: Path) -> None:
        nonlocal timm_loads
        save_file(load_file(run.weights), part / hubconf.WEIGHTS, {"format": "pt"})
        config = timm_config(recipe, width, view, run.metadata["preprocessing"], about)
        (part / hubconf.CONFIG).write_bytes(pretty(config))
        shutil.copyfile(inspect.getfile(hubconf), part / "hubconf.py")
        if recipe.library == "small_resnet":
            shutil.copyfile(inspect.getfile(small_resnet), part / "small_resnet.py")
        timm_loads = loads_in_timm(part, network, view.size)
        faults = {
            "torch.hub": not same_features(network, hubconf.network(part), sample(view.size)),
            "timm": recipe.library == "timm" and not timm_loads,
        }
        if wrong := [library for library, fault in faults.items() if fault]:
            advice = "this is a bug in Faithful Pairs; please report it with the versions of timm and torch"
            raise PipelineError("export that differs", part, f"features by {wrong[0]}", advice)
        sha256 = file_hash(part / hubconf.WEIGHTS)
        facts = {"recipe": recipe, "width": width, "view": view, "timm": timm_loads, "learned": len(keys)}
        (part / CARD).write_text(model_card(run, licence, {**facts, "sha256": sha256}), encoding="utf-8")
        record_network(run.node.study, NetworkRecord(folder, sha256, keys))

    replace_folder(folder, write)
    return len(keys), timm_loads
