"""One caption per image for an arm."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage

Kind = Literal["original", "generated", "revised", "shuffled", "mixed", "external"]
Base = Literal["original", "generated", "revised"]


class SelectCaptions(Settings):
    """Which caption each image of an arm gets."""

    kind: Kind = Field(
        description="how the caption of an image is chosen. original: the Reddit title; generated: BLIP-2's caption; "
        "revised: the better of the two by ITM; shuffled: the caption of another image; mixed: a share keeps its "
        "caption and the rest is shuffled; external: from a table",
        examples=["revised"],
    )
    base: Base = Field(
        "original", description="shuffled and mixed: the captions that are shuffled", examples=["revised"]
    )
    margin: float = Field(
        0.0,
        description="revised: the generated caption is used if its ITM score is higher by more than this",
        examples=[0.5],
        json_schema_extra={"unit": "ITM logit difference"},
    )
    threshold: float | None = Field(
        None,
        description="revised: an original with a lower ITM score is always replaced; null: no threshold",
        examples=[0.0],
        json_schema_extra={"unit": "ITM logit difference"},
    )
    share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="mixed: share of images that keep the base caption",
        examples=[0.25],
        json_schema_extra={"unit": "share of images"},
    )
    max_missing_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="external: maximum share of images without a caption",
        examples=[0.01],
        json_schema_extra={"unit": "share of images"},
    )
    seed: int = Field(0, description="seed of shuffled and mixed", examples=[1])


def select_captions(job: Job[SelectCaptions]) -> None:
    """Apply the arm's rule to the caption table."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arms import select
    from workflow_scripts.captions.arms.caption_file import read_captions
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    options = job.settings
    table = pq.read_table(job.input("captions").path(".parquet"))
    if options.kind == "external":
        source = job.source("external")
        given = read_captions(source, table["key"])
        arm = select.external(table, given, options.max_missing_share, source)
    else:
        named = options.kind if options.kind in ("original", "generated", "revised") else options.base
        rules = {
            "original": lambda: select.original(table),
            "generated": lambda: select.generated(table),
            "revised": lambda: select.revised(table, options.margin, options.threshold),
        }
        arm = rules[named]()
        if options.kind == "shuffled":
            arm = select.shuffled(arm, options.seed)
        if options.kind == "mixed":
            arm = select.mixed(arm, options.share, options.seed)
    write_table(job.file(".parquet"), arm)
    job.file(".json").write_bytes(pretty({"kind": options.kind, **select.counts(arm, table)}))
    job.rows(len(table), len(arm))


STAGE = Stage(
    run=select_captions,
    settings=SelectCaptions,
    artifact="{arm}",
    inputs=("captions", "external"),
    packages=("numpy", "pyarrow"),
)

if __name__ == "__main__":
    run_stage(STAGE)
