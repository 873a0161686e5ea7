"""Kinds of image encoders, one row each. Imported with every config, so models are imported inside the functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workflow_scripts.core.registry import by_name
from workflow_scripts.models.networks.view import View

if TYPE_CHECKING:
    from workflow_scripts.embeddings.images import Encoder

PACKAGES = ("torch", "transformers", "torchvision", "timm", "pillow", "simplejpeg")
"""PyPI packages whose versions can change vectors of images."""


@dataclass(frozen=True)
class ImageModel:
    """What an image encoder is loaded from.

    Attributes:
        path: folder of the model, or the weights of a run's checkpoint.
        device: ``cpu`` or ``cuda``.
        about: metadata of the run (``run.json``), for kinds that are one.
        view: how its network sees images.
    """

    path: Path
    device: str
    about: Path | None = None
    view: View | None = None


@dataclass(frozen=True, kw_only=True)
class ImageEncoderKind:
    """A way to load an image encoder.

    Attributes:
        name: the setting ``kind`` of an image encoder.
        summary: one phrase.
        load: model -> encoder of n RGB images, (n, d) float32.
        needs: ``source``: a source of its own; ``matcher``: that of ``recaption``, if it has none; ``run``: a run of
            the study.
    """

    name: str
    summary: str
    load: "Callable[[ImageModel], Encoder]"
    needs: Literal["source", "matcher", "run"]


def _blip2(model: ImageModel) -> "Encoder":
    from workflow_scripts.embeddings.images import blip2_encoder

    return blip2_encoder(model.path, model.device)


def _transformers(model: ImageModel) -> "Encoder":
    from workflow_scripts.embeddings.images import transformers_encoder

    return transformers_encoder(model.path, model.device)


def _run(model: ImageModel) -> "Encoder":
    from workflow_scripts.embeddings.images import run_encoder

    assert model.about is not None and model.view is not None
    return run_encoder(model.path, model.about, model.view, model.device)


IMAGE_ENCODERS = by_name(
    [
        ImageEncoderKind(
            name="blip2",
            summary="the contrastive image feature of a BLIP-2 matcher",
            load=_blip2,
            needs="matcher",
        ),
        ImageEncoderKind(
            name="run",
            summary="the features of a network of this study's runs, trained here or from elsewhere",
            load=_run,
            needs="run",
        ),
        ImageEncoderKind(
            name="transformers",
            summary="any image model that transformers' AutoModel loads, such as CLIP",
            load=_transformers,
            needs="source",
        ),
    ]
)
