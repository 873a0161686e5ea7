"""Kinds of text encoders, one row each. Imported with every config, so models are imported inside the functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    import pyarrow as pa

    from workflow_scripts.embeddings.text import TextEncoder

PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers")
"""PyPI packages whose versions can change vectors of captions."""


@dataclass(frozen=True)
class TextModel:
    """What a text encoder is loaded from.

    Attributes:
        path: folder of the model, or the weights of a run's text tower.
        device: ``cpu`` or ``cuda``.
        captions: those that will be embedded, for kinds that read only what these need.
        tokenizer: the two files of the study's tokenizer, for a run's text tower.
    """

    path: Path
    device: str
    captions: "pa.ChunkedArray"
    tokenizer: tuple[Path, Path] | None = None


@dataclass(frozen=True, kw_only=True)
class TextEncoderKind:
    """A way to load a text encoder.

    Attributes:
        name: the setting ``kind`` of a text encoder.
        summary: one phrase.
        load: model -> encoder, whose vectors do not depend on the batch size.
        needs: ``source``: a source of its own; ``run``: a run of the study.
        any_text: whether every caption that is not empty has a vector.
        judges: whether judges can use it; they load its source as a sentence encoder.
        saved: whether its source is a folder as save_pretrained writes it.
    """

    name: str
    summary: str
    load: "Callable[[TextModel], TextEncoder]"
    needs: Literal["source", "run"] = "source"
    any_text: bool = True
    judges: bool = False
    saved: bool = False


def _sentence_transformers(model: TextModel) -> "TextEncoder":
    from workflow_scripts.models.sentence_encoder import sentence_encoder

    return sentence_encoder(model.path, model.device)


def _clip(model: TextModel) -> "TextEncoder":
    from workflow_scripts.embeddings.text_towers import clip_text

    return clip_text(model.path, model.device)


def _word_vectors(model: TextModel) -> "TextEncoder":
    from workflow_scripts.embeddings.word_vectors import word_vectors

    return word_vectors(model.path, model.captions)


def _run(model: TextModel) -> "TextEncoder":
    from workflow_scripts.embeddings.text_towers import run_text

    assert model.tokenizer is not None
    return run_text(model.path, model.tokenizer, model.device)


TEXT_ENCODERS = by_name(
    [
        TextEncoderKind(name="clip", summary="the text tower of a CLIP model", load=_clip, saved=True),
        TextEncoderKind(name="run", summary="the final text tower of one of this study's runs", load=_run, needs="run"),
        TextEncoderKind(
            name="sentence_transformers",
            summary="a model of the library sentence-transformers",
            load=_sentence_transformers,
            judges=True,
            saved=True,
        ),
        TextEncoderKind(
            name="word_vectors",
            summary="the mean of a caption's word vectors, from a text file in the format of fastText or word2vec",
            load=_word_vectors,
            any_text=False,
        ),
    ]
)
