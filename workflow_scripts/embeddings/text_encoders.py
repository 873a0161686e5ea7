"""Kinds of text encoders, one row each.

Imported with every config, so what loads a model is imported in a private function, which is in the keys of the jobs
that use its row, and of no others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    import pyarrow as pa

    from workflow_scripts.core.runtime.stage import Job
    from workflow_scripts.embeddings.text import TextEncoder

PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers")
"""PyPI packages whose versions can change vectors of captions."""


@dataclass(frozen=True, kw_only=True)
class TextEncoderKind:
    """A kind of text encoders.

    Attributes:
        name: the setting ``kind`` of a text encoder.
        summary: one phrase.
        load: job of ``embed_captions``, its captions -> the encoder, ready to embed them; raises a PipelineError if a
            file is missing or damaged.
        needs: ``source``: a source of its own; ``run``: a run of the study.
        judges: whether judges can use it; they load its source as a sentence encoder.
        saved: whether its source is a folder as save_pretrained writes it.
    """

    name: str
    summary: str
    load: "Callable[[Job[Any], pa.ChunkedArray], TextEncoder]"
    needs: Literal["source", "run"] = "source"
    judges: bool = False
    saved: bool = False


def _clip(job: "Job[Any]", captions: "pa.ChunkedArray") -> "TextEncoder":
    from workflow_scripts.embeddings.clip_text import clip_text

    return clip_text(job.source("encoder"), job.device)


def _run(job: "Job[Any]", captions: "pa.ChunkedArray") -> "TextEncoder":
    from workflow_scripts.embeddings.run_text import run_text
    from workflow_scripts.models.text.caption_tokenizer import MODEL, SPECIAL
    from workflow_scripts.models.text.tower import TOWER

    tokenizer = job.input("tokenizer")
    files = tokenizer.path(MODEL), tokenizer.path(SPECIAL)
    return run_text(job.input("run").path(f"/{TOWER}"), files, job.device)


def _sentence_transformers(job: "Job[Any]", captions: "pa.ChunkedArray") -> "TextEncoder":
    from workflow_scripts.models.sentence_encoder import sentence_encoder

    return sentence_encoder(job.source("encoder"), job.device)


def _word_vectors(job: "Job[Any]", captions: "pa.ChunkedArray") -> "TextEncoder":
    from workflow_scripts.embeddings.word_vectors import word_vectors

    return word_vectors(job.source("encoder"), captions)


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
        ),
    ]
)
