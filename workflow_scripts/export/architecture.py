"""How an exported network is built without this project, and whether timm's network of that name is the same."""

import math
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.export.hubconf import SECTION
from workflow_scripts.models.backbones import BACKBONES
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
        import timm

        sized = timm.get_pretrained_cfg(architecture).fixed_input_size
        return Recipe(library, architecture, {"img_size": image_size} if sized else {}, "")
    if colon:
        from workflow_scripts.models.networks.libraries import torchvision

        with torch.device("meta"):  # without values
            network = torchvision.build(architecture, image_size, {})
        options = {"image_size": image_size} if architecture.startswith("vit_") else {}
        return Recipe(library, architecture, options, _identity(network))
    made = BACKBONES[backbone].build
    if isinstance(made, partial):  # of torchvision
        return Recipe("torchvision", str(made.args[0]), {}, "fc")
    if backbone != "resnet_small":
        advice = "add it to workflow_scripts/export/hubconf.py"
        raise PipelineError("backbone that can't be exported", "backbone", backbone, advice)
    return Recipe("small_resnet", backbone, {}, "")


def _identity(network: nn.Module) -> str:
    """Path of the identity in the place of the classifier."""
    return [name for name, module in network.named_modules() if isinstance(module, nn.Identity)][-1]


def sample(image_size: int) -> torch.Tensor:
    """The same few random images each time: (SAMPLE, 3, s, s) float32."""
    generator = torch.Generator().manual_seed(derive(0, "export"))
    return torch.randn(SAMPLE, 3, image_size, image_size, generator=generator)


@torch.no_grad()
def same_features(one: nn.Module, other: nn.Module, images: torch.Tensor) -> bool:
    """Whether two networks in evaluation mode give the same features, up to :data:`CLOSE`."""
    expected, found = one(images), other(images)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= CLOSE * expected.abs().max())


def timm_equal(recipe: Recipe, network: nn.Module, image_size: int) -> bool:
    """Whether timm's architecture of the same name takes these weights and gives the same features.

    Args:
        network: the exported network in evaluation mode.
    """
    import timm

    if recipe.library == "timm":
        return True
    if not timm.is_model(recipe.architecture):
        return False
    candidate = timm.create_model(recipe.architecture, num_classes=0)
    weights, own = network.state_dict(), candidate.state_dict()
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in own.items()}:
        return False
    candidate.load_state_dict(weights)
    return same_features(network, candidate.eval(), sample(image_size))


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
    import timm

    known = timm.get_pretrained_cfg(recipe.architecture) if timm.is_model(recipe.architecture) else None
    heads = {"classifier": known.classifier, "first_conv": known.first_conv} if known else {}
    images = {
        **{"input_size": [3, view.size, view.size], "fixed_input_size": bool(known and known.fixed_input_size)},
        **{"interpolation": view.resize, "crop_pct": crop_share(view), "crop_mode": "center"},
        **{"mean": list(seen["mean"]), "std": list(seen["std"])},
    }
    return {
        "architecture": recipe.architecture,
        "num_classes": 0,
        "num_features": width,
        **({"model_args": recipe.options} if recipe.library == "timm" and recipe.options else {}),
        "pretrained_cfg": {"num_classes": 0, **images, **heads},
        SECTION: {**recipe._asdict(), **about},
    }
