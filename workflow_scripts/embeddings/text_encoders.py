"""Kinds of text encoders, one row each. Imported with every config, so models are imported inside the functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from workflow_scripts.models.sentence_encoder import SentenceEncoder


@dataclass(frozen=True, kw_only=True)
class TextEncoderKind:
    """A way to load a text encoder.

    Attributes:
        name: the setting ``kind`` of a text encoder.
        summary: one phrase.
        load: (model folder, device) -> encoder: n texts and a batch size -> (n, d) float32, whatever the batch size.
    """

    name: str
    summary: str
    load: "Callable[[Path, str], SentenceEncoder]"


def _sentence_transformers(folder: Path, device: str) -> "SentenceEncoder":
    from workflow_scripts.models.sentence_encoder import sentence_encoder

    return sentence_encoder(folder, device)


TEXT_ENCODERS = by_name(
    [
        TextEncoderKind(
            name="sentence_transformers",
            summary="a model of the library sentence-transformers",
            load=_sentence_transformers,
        )
    ]
)
