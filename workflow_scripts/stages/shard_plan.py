"""Which annotation row belongs to which shard."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class ShardPlan(Settings):
    """How rows are divided into shards."""

    shards: int = Field(gt=0, le=100_000, examples=[64])
    """Number of shards, fixed in advance so that all jobs are known; spare ones stay empty."""
    rows_per_shard: int = quantity(10_000, unit="rows", gt=0, examples=[5000])
    """Approximate number of annotation rows per shard."""
    group: Literal["subreddit_year", "all"] = Field(default="subreddit_year", examples=["all"])
    """Rows that may share a shard. subreddit_year: those of one subreddit and year, so that adding another moves no
    row; all: any, which gives a small study fewer shards."""


def shard_plan(job: Job[ShardPlan]) -> None:
    """Assign the kept rows to shards."""
    from workflow_scripts.acquisition.shards.plan import plan
    from workflow_scripts.core.files.jsonio import pretty

    rows = job.input("annotations").path(".parquet")
    summary = plan(rows, **job.settings.model_dump(), out=job.file(".parquet"))
    job.file(".json").write_bytes(pretty(summary))
    job.rows(sum(summary["rows"]), sum(summary["rows"]))


STAGE = Stage(run=shard_plan, settings=ShardPlan, artifact="plan", packages=("pyarrow",))

FACTS = Facts(
    files={
        ".parquet": File("which row goes to which shard, one row group per shard"),
        ".json": File("hash of each shard's part", published=True),
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.rows * 400),
    cost=Cost(per="row", units=lambda load: load.rows, core_ms=0.01, source="assumed: half the time to read a row"),
    section="shards",
    group="rows",
    inputs={"annotations": "annotations/rows"},
)

if __name__ == "__main__":
    run_stage(STAGE)
