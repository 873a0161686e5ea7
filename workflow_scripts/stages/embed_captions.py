"""Unit vectors of an arm's captions.

Inputs: ``captions`` (select_captions), ``encoder`` (source; models from elsewhere), ``run`` (pretrain) and
``tokenizer`` (tokenizer; text towers of the study).
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS, TextModel
from workflow_scripts.embeddings.width import WIDTH

if TYPE_CHECKING:
    import pyarrow as pa

UNKNOWN = ".unknown.npy"


class EmbedCaptions(Settings):
    """How captions are embedded."""

    kind: Annotated[str, OneOf(TEXT_ENCODERS)] = Field(
        "sentence_transformers", description=f"what the model is. {listed(TEXT_ENCODERS)}", examples=["clip"]
    )
    batch_size: int = Field(
        256, ge=1, description="captions per forward pass", examples=[128], json_schema_extra={"unit": "captions"}
    )
    chunk_batches: int = Field(
        32,
        ge=1,
        description="batches per file of finished vectors; an interrupted job resumes after the last file",
        examples=[16],
        json_schema_extra={"unit": "batches"},
    )
    dimensions: int | None = Field(
        None,
        ge=1,
        description="dimensions of the vectors; null: those of the model",
        examples=[64],
        json_schema_extra={"unit": "dimensions"},
    )
    reduction: Literal["truncate", "pca"] = Field(
        "truncate",
        description="how dimensions are reduced. truncate: the first; pca: components fitted on the arm's captions",
        examples=["pca"],
    )

    @model_validator(mode="after")
    def _reduced(self) -> Self:
        if self.dimensions is None and self.reduction != "truncate":
            raise ValueError(f"reduction {self.reduction} has no effect without dimensions")
        return self


def embed_captions(job: Job[EmbedCaptions]) -> None:
    """Encode an arm's captions in its order, with their keys, and note which the encoder does not read to the end."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.embeddings.reduction import REDUCTIONS
    from workflow_scripts.embeddings.text import embed, truncated, unknown
    from workflow_scripts.embeddings.word_vectors import WordVectors

    options, kind = job.settings, TEXT_ENCODERS[job.settings.kind]
    arm = pq.read_table(job.input("captions").path(".parquet"), columns=["key", "subreddit", "year", "caption"])
    encoder = kind.load(_model(job, arm["caption"]))
    out = job.file(".npy")
    reduce = None
    if options.dimensions is not None:
        reduce = partial(REDUCTIONS[options.reduction], dimensions=options.dimensions)
    empty = embed(arm["caption"], encoder, options.batch_size, options.chunk_batches, job.work, out, reduce)
    write_table(job.file(".keys.parquet"), arm.drop_columns(["caption"]))
    np.save(job.file(".truncated.npy"), truncated(arm["caption"], encoder), allow_pickle=False)
    if not kind.any_text:
        without = unknown(arm["caption"], np.load(out, mmap_mode="r", allow_pickle=False))
        np.save(job.file(UNKNOWN), without, allow_pickle=False)
        job.note(captions_without_known_word=int(without.sum()))
    if isinstance(encoder, WordVectors):
        job.note(**encoder.counts(arm["caption"]))
    job.rows(len(arm), len(arm))
    job.note(empty_captions=empty, max_tokens=encoder.max_tokens)


def _model(job: Job[EmbedCaptions], captions: "pa.ChunkedArray") -> TextModel:
    from workflow_scripts.models.text.caption_tokenizer import MODEL, SPECIAL
    from workflow_scripts.models.text.tower import TOWER

    if TEXT_ENCODERS[job.settings.kind].needs != "run":
        return TextModel(job.source("encoder"), job.device, captions)
    tokenizer = job.input("tokenizer")
    files = tokenizer.path(MODEL), tokenizer.path(SPECIAL)
    return TextModel(job.input("run").path(f"/{TOWER}"), job.device, captions, files)


STAGE = Stage(
    run=embed_captions,
    settings=EmbedCaptions,
    artifact="{arm}.{encoder}",
    inputs=("captions", "encoder", "run", "tokenizer"),
    packages=("torch", "transformers", "sentence-transformers", "tokenizers"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".npy": File("unit-length rows, float32", Tolerance(1e-5, 0, "2e-7")),
        ".keys.parquet": File("the key of each row"),
        ".unknown.npy": File("word vectors only: whether a non-empty caption has no known word, bool"),
        ".truncated.npy": File("whether the encoder reads only the beginning of each row's caption, bool"),
    },
    environment="train",
    resources=Resources(minutes=480, memory_mb=96_000, scales="gpu", workers=True, gpu=True),
    cost=Cost(
        per="caption",
        units=lambda load: load.images,
        core_ms=0.1,
        gflop=lambda _: 5.5,
        source="counted: all-mpnet-base-v2, 32 tokens; tokenizing twice measured",
    ),
    disk=lambda load: load.rows * WIDTH * 4,
    names="text_vectors",
    section="text_encoders.{encoder}",
    sources={"encoder": "encoder-{encoder}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
