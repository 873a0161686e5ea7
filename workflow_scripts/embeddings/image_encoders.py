"""Kinds of image encoders, one row each. Imported with every config, so models are imported inside the functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from workflow_scripts.embeddings.images import Encoder


@dataclass(frozen=True, kw_only=True)
class ImageEncoderKind:
    """A way to load an image encoder.

    Attributes:
        name: the setting ``kind`` of an image encoder.
        summary: one phrase.
        load: (model folder, device) -> encoder: n RGB images -> (n, d) float32.
        own_source: whether it needs a ``source`` of its own; without one it uses the matcher of ``recaption``.
    """

    name: str
    summary: str
    load: "Callable[[Path, str], Encoder]"
    own_source: bool


def _blip2(folder: Path, device: str) -> "Encoder":
    from workflow_scripts.embeddings.images import blip2_encoder

    return blip2_encoder(folder, device)


def _transformers(folder: Path, device: str) -> "Encoder":
    from workflow_scripts.embeddings.images import transformers_encoder

    return transformers_encoder(folder, device)


IMAGE_ENCODERS = by_name(
    [
        ImageEncoderKind(
            name="blip2",
            summary="the contrastive image feature of a BLIP-2 matcher",
            load=_blip2,
            own_source=False,
        ),
        ImageEncoderKind(
            name="transformers",
            summary="any image model that transformers' AutoModel loads, such as CLIP",
            load=_transformers,
            own_source=True,
        ),
    ]
)
