"""Unit vectors of a part of an arm's distinct captions; ``embed_captions`` gathers the parts.

Inputs: as of ``embed_captions``.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from workflow_scripts.core.declaration.facts import File, Tolerance
from workflow_scripts.core.declaration.parts import named_part
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.facts import CAPTIONS
from workflow_scripts.embeddings.settings import CHUNK_BATCHES
from workflow_scripts.embeddings.text_encoders import PACKAGES, TEXT_ENCODERS, TextModel

if TYPE_CHECKING:
    import pyarrow as pa

    from workflow_scripts.embeddings.text import TextEncoder

TRUNCATED = ".truncated.npy"


class EmbedCaptionsPart(Settings):
    """How captions become vectors."""

    kind: Annotated[str, OneOf(TEXT_ENCODERS)] = Field(
        "sentence_transformers", description=f"what the model is. {listed(TEXT_ENCODERS)}", examples=["clip"]
    )
    batch_size: int = Field(
        256, ge=1, description="captions per forward pass", examples=[128], json_schema_extra={"unit": "captions"}
    )
    chunk_batches: int = CHUNK_BATCHES


def embed_captions_part(job: Job[EmbedCaptionsPart]) -> None:
    """Encode the distinct captions of one part, in order of length."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.embeddings.text import distinct, embed, truncated

    captions = pq.read_table(job.input("captions").path(".parquet"), columns=["caption"])["caption"]
    texts, encoder, part = distinct(captions), text_encoder(job, captions), named_part(job.unit["part"])
    vectors = embed(texts, encoder, job.settings.batch_size, job.settings.chunk_batches, job.work, part)
    np.save(job.file(".npy"), vectors, allow_pickle=False)
    np.save(job.file(TRUNCATED), truncated(texts, encoder, job.settings.batch_size, part), allow_pickle=False)
    job.rows(len(vectors), len(vectors))
    job.note(max_tokens=encoder.max_tokens)


def text_encoder(job: Job[Any], captions: "pa.ChunkedArray") -> "TextEncoder":
    """The encoder of a job with these settings, ready to embed ``captions``.

    Raises:
        PipelineError: a file of it is missing or damaged.
    """
    from workflow_scripts.models.text.caption_tokenizer import MODEL, SPECIAL
    from workflow_scripts.models.text.tower import TOWER

    kind = TEXT_ENCODERS[job.settings.kind]
    if kind.needs != "run":
        return kind.load(TextModel(job.source("encoder"), job.device, captions))
    tokenizer = job.input("tokenizer")
    files = tokenizer.path(MODEL), tokenizer.path(SPECIAL)
    return kind.load(TextModel(job.input("run").path(f"/{TOWER}"), job.device, captions, files))


STAGE = Stage(
    run=embed_captions_part,
    settings=EmbedCaptionsPart,
    artifact="{arm}.{encoder}.{part}",
    inputs=("captions", "encoder", "run", "tokenizer"),
    packages=PACKAGES,
    not_in_key=frozenset({"chunk_batches"}),
    on_device=True,
)

FACTS = replace(
    CAPTIONS,
    files={
        ".npy": File("unit-length rows of distinct captions, float32", Tolerance(1e-5, 0, "2e-7")),
        TRUNCATED: File("whether the encoder reads only the beginning of each, bool"),
    },
    resources=replace(CAPTIONS.resources, data=lambda load: load.images * (3_000 + 500 * load.parts)),
    names="text_vector_parts",
)

if __name__ == "__main__":
    run_stage(STAGE)
