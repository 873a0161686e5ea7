"""Settings of the shard_plan stage."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class ShardPlan(Settings):
    """How the rows are cut into shards."""

    shards: int = Field(gt=0, le=100_000, description="number of shards, fixed in advance so that the DAG is known")
    rows_per_shard: int = Field(default=10_000, gt=0, description="approximate number of annotation rows per shard")
    group: Literal["subreddit_year", "all"] = Field(
        default="subreddit_year",
        description="rows that shards are shared by: each subreddit and year has its own, so that another one moves no "
        "row; or all have the same, which makes fewer shards of a small study",
    )
