"""Unit vectors of an arm's captions.

Inputs: ``captions`` (select_captions), ``encoder`` (source; models from elsewhere), ``run`` (pretrain) and
``tokenizer`` (tokenizer; text towers of the study).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workflow_scripts.core.declaration.facts import File, Tolerance
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.embeddings.facts import CAPTIONS, KEYS
from workflow_scripts.embeddings.text_encoders import PACKAGES, TEXT_ENCODERS

if TYPE_CHECKING:
    pass

UNKNOWN, TRUNCATED = ".unknown.npy", ".truncated.npy"


class EmbedCaptions(Settings):
    """How captions are embedded."""

    kind: Annotated[str, OneOf(TEXT_ENCODERS)] = Field(
        "sentence_transformers", description=f"what the model is. {listed(TEXT_ENCODERS)}", examples=["clip"]
    )
    batch_size: int = quantity(256, unit="captions", ge=1, examples=[128])
    """Captions per forward pass."""
    dimensions: int | None = quantity(None, unit="dimensions", ge=1, examples=[64])
    """How many of the first dimensions of each vector are kept; it is then made unit-length again (like truncate_dim of
    sentence-transformers). null: all. Judges use all."""


def embed_captions(job: Job[EmbedCaptions]) -> None:
    """Encode an arm's captions in its order, with their keys, and note which the encoder does not read to the end."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.embeddings.text import distinct, embed, truncated, write_vectors

    options = job.settings
    arm = pq.read_table(job.input("captions").path(".parquet"), columns=["key", "subreddit", "year", "caption"])
    encoder = TEXT_ENCODERS[options.kind].load(job, arm["caption"])
    texts, wanted = distinct(arm["caption"]), options.dimensions
    if wanted is not None and wanted > (width := encoder(["a"], 1).shape[-1]):
        where = f"text_encoders.{job.unit['encoder']}.dimensions"
        raise PipelineError("too many dimensions", where, f"{wanted}, but vectors have {width}", f"at most {width}")
    vectors = embed(texts, encoder, options.batch_size, job.work, wanted)
    zero, blank = write_vectors(texts, vectors, job.file(".npy")), texts.blank
    write_table(job.file(".keys.parquet"), arm.drop_columns(["caption"]))
    np.save(job.file(TRUNCATED), texts.placed(truncated(texts, encoder))[texts.codes], allow_pickle=False)
    if (counts := getattr(encoder, "counts", None)) is not None:  # of words
        unknown = zero & ~blank
        np.save(job.file(UNKNOWN), unknown, allow_pickle=False)
        job.note(captions_without_known_word=int(unknown.sum()), **counts(arm["caption"]))
    job.rows(len(arm), len(arm))
    job.note(max_tokens=encoder.max_tokens, blank_captions=int(blank.sum()), distinct_captions=len(texts.order))


STAGE = Stage(
    run=embed_captions,
    settings=EmbedCaptions,
    artifact="{arm}.{encoder}",
    packages=PACKAGES,
    on_device=True,
    entries=lambda settings: {"embeddings.text_encoders": [settings.kind]},
)

FACTS = replace(
    CAPTIONS,
    files={
        ".npy": File("unit-length rows, zero for a blank caption, float32", Tolerance(1e-5, 0, "2e-7")),
        ".keys.parquet": KEYS,
        UNKNOWN: File("word vectors only: whether a caption that is not blank has no known word, bool"),
        TRUNCATED: File("whether the encoder reads only the beginning of each row's caption, bool"),
    },
    names=lambda units: [f"{arm}.{encoder.name}" for arm in units.arms for encoder in units.study.text_encoders],
    inputs={
        "captions": "select_captions/{arm}",
        "run": lambda units, unit: units.encoder_run(unit["encoder"]),
        "tokenizer": lambda units, unit: ["tokenizer/tokenizer"] if units.encoder_run(unit["encoder"]) else [],
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
