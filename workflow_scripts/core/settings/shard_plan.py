"""Settings of the shard_plan stage."""

from pydantic import Field

from workflow_scripts.core.settings.base import Settings


class ShardPlan(Settings):
    """How the rows are cut into shards."""

    shards: int = Field(gt=0, le=100_000, description="number of shards; known beforehand so that the DAG is")
    rows_per_shard: int = Field(default=10_000, gt=0, description="annotation rows in a full shard")
