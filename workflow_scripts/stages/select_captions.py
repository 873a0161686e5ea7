"""One caption per image for an arm."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage

Kind = Literal["original", "generated", "revised", "shuffled", "mixed", "external"]
Base = Literal["original", "generated", "revised"]


class SelectCaptions(Settings):
    """Which caption each image of an arm gets."""

    kind: Kind = Field(description="rule of the arm")
    base: Base = Field("original", description="captions that shuffled and mixed start from")
    margin: float = Field(0.0, description="revised: ITM logit difference by which a generated caption must be better")
    threshold: float | None = Field(
        None, description="revised: an original whose ITM logit difference is lower is replaced whatever the margin"
    )
    share: float = Field(0.5, ge=0, le=1, description="mixed: share of images that keep the base caption")
    max_missing_share: float = Field(0.0, ge=0, le=1, description="external: share of images that may lack a caption")
    seed: int = Field(0, description="seed of shuffled and mixed")


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


def main(argv: list[str] | None = None) -> None:
    """Run the stage from the command line."""
    run_stage(select_captions, SelectCaptions, argv, packages=("numpy", "pyarrow"))


if __name__ == "__main__":
    main()
