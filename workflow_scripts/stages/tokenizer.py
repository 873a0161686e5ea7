"""The tokenizer of all captions that methods learn from: one per study, so that arms differ in captions alone.

Inputs: ``captions`` (caption_table; kinds that are trained), ``model`` (source; the others).
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity, refuse_changed
from workflow_scripts.models.text.caption_tokenizer import MODEL, SPECIAL, load_clip, train_tokenizer

CLIPS = 49_408  # ids of CLIP's own tokenizer


class Tokenizer(Settings):
    """How captions become tokens."""

    kind: Literal["clip", "trained"] = Field("trained", examples=["clip"])
    """What the tokenizer is. clip: CLIP's own byte-level BPE, from the vocab.json and merges.txt of a CLIP model;
    trained: a byte-level BPE trained on the original captions of the study's images."""
    vocabulary: int | None = quantity(
        None,
        unit="tokens",
        ge=259,
        description=f"maximum number of tokens of a trained tokenizer; null: {CLIPS:,}, as in CLIP's own",
        examples=[8192],
    )

    @model_validator(mode="after")
    def _vocabulary_is_used(self) -> Self:
        if self.kind == "clip":
            refuse_changed(self, ("vocabulary",), f"on a tokenizer of kind {self.kind}")
        return self


def tokenizer(job: Job[Tokenizer]) -> None:
    """Load the tokenizer, or train it on the original captions."""
    import pyarrow.parquet as pq

    if job.settings.kind == "clip":
        model = load_clip(job.source("model"))
    else:
        with pq.ParquetFile(job.input("captions").path(".parquet")) as table:
            batches = (batch["original"].drop_null().to_pylist() for batch in table.iter_batches(columns=["original"]))
            model = train_tokenizer(batches, job.settings.vocabulary or CLIPS)
            job.rows(table.metadata.num_rows, table.metadata.num_rows)
    model.write(job.file(MODEL), job.file(SPECIAL))


STAGE = Stage(run=tokenizer, settings=Tokenizer, artifact="tokenizer", packages=("tokenizers", "transformers"))

FACTS = Facts(
    files={
        ".json": File("the tokenizer, as the library tokenizers reads it"),
        ".special.json": File("ids of start, end and padding, and the number of ids", published=True),
    },
    environment="train",
    resources=Resources(minutes=120, memory_mb=2_000, data=lambda load: load.images * 1_000, workers=True),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.02, source="measured: training on titles"),
    section="tokenizer",
    sources={"model": "tokenizer"},
    names=lambda units: ["tokenizer"] if units.names("tokens") else [],
    inputs={"captions": lambda units, _: ["caption_table/captions"] if units.study.tokenizer.kind == "trained" else []},
)

if __name__ == "__main__":
    run_stage(STAGE)
