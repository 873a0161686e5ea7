"""Settings of pair shards."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class PairOrder(Settings):
    """The order of pairs in all shards of a study."""

    seed: int = Field(
        0, ge=0, description="seed of the order of pairs, which is that of a hash of their sources' keys", examples=[1]
    )


class Blocks(Settings):
    """How large the blocks are."""

    block_mb: float = Field(
        8,
        ge=0.001,
        le=1_024,
        description="size of the blocks in which trainings read. A batch is drawn from 64 of them, and a run keeps "
        "about 100 in memory; smaller blocks need more reads, and mix fewer pairs",
        examples=[4],
        json_schema_extra={"unit": "MB"},
    )


class PairShards(PairOrder, Blocks):
    """Files that hold each image beside its partners, which trainings read in blocks."""

    files: int = Field(
        64,
        ge=2,
        le=10_000,
        description="files among which the pairs of a table are divided, each written by a job of its own",
        examples=[256],
        json_schema_extra={"unit": "files"},
    )
