"""Kinds of image encoders, one row each. Imported with every config, so their models are loaded elsewhere."""

from dataclasses import dataclass
from typing import Literal

from workflow_scripts.core.registry import by_name

PACKAGES = ("torch", "transformers", "torchvision", "timm", "pillow", "simplejpeg")
"""PyPI packages whose versions can change vectors of images."""


@dataclass(frozen=True, kw_only=True)
class ImageEncoderKind:
    """A kind of image encoders, which :mod:`workflow_scripts.embeddings.images` loads.

    Attributes:
        name: the setting ``kind`` of an image encoder.
        summary: one phrase.
        needs: ``source``: a source of its own; ``matcher``: that of ``recaption``, if it has none; ``run``: a run of
            the study.
    """

    name: str
    summary: str
    needs: Literal["source", "matcher", "run"]


IMAGE_ENCODERS = by_name(
    [
        ImageEncoderKind(name="blip2", summary="the contrastive image feature of a BLIP-2 matcher", needs="matcher"),
        ImageEncoderKind(
            name="run",
            summary="the features of a network of this study's runs, trained here or from elsewhere",
            needs="run",
        ),
        ImageEncoderKind(
            name="transformers",
            summary="any image model that transformers' AutoModel loads, such as CLIP",
            needs="source",
        ),
    ]
)
