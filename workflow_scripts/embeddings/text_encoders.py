"""Kinds of text encoders, one row each. Imported with every config, so their models are loaded elsewhere."""

from dataclasses import dataclass
from typing import Literal

from workflow_scripts.core.registry import by_name

PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers")
"""PyPI packages whose versions can change vectors of captions."""


@dataclass(frozen=True, kw_only=True)
class TextEncoderKind:
    """A kind of text encoders, which the stage ``embed_captions`` loads.

    Attributes:
        name: the setting ``kind`` of a text encoder.
        summary: one phrase.
        needs: ``source``: a source of its own; ``run``: a run of the study.
        judges: whether judges can use it; they load its source as a sentence encoder.
        saved: whether its source is a folder as save_pretrained writes it.
    """

    name: str
    summary: str
    needs: Literal["source", "run"] = "source"
    judges: bool = False
    saved: bool = False


TEXT_ENCODERS = by_name(
    [
        TextEncoderKind(name="clip", summary="the text tower of a CLIP model", saved=True),
        TextEncoderKind(name="run", summary="the final text tower of one of this study's runs", needs="run"),
        TextEncoderKind(
            name="sentence_transformers",
            summary="a model of the library sentence-transformers",
            judges=True,
            saved=True,
        ),
        TextEncoderKind(
            name="word_vectors",
            summary="the mean of a caption's word vectors, from a text file in the format of fastText or word2vec",
        ),
    ]
)
