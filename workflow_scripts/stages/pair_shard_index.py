"""The location of every image in the pair shards of a pair table, and the blocks in which they are read."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.pretraining.data.pair_shards.settings import Blocks


class PairShardIndex(Blocks):
    """How large the blocks are."""


def pair_shard_index(job: Job[PairShardIndex]) -> None:
    """Collect the tables of the shards; the images stay in place."""
    import numpy as np

    from workflow_scripts.acquisition.shards.parquet import TableWriter
    from workflow_scripts.core.declaration.parts import named_part
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.pretraining.data.pair_shards.shards import SLOTS, indexed

    shards = sorted(job.inputs("shards"), key=lambda shard: named_part(shard.name.rpartition(".")[2]).number)
    tables = indexed([shard.path(".parquet") for shard in shards], int(job.settings.block_mb * 1e6))
    pairs = 0
    with TableWriter(job.file(".parquet"), SLOTS) as writer:
        for table in tables:
            writer.write(table)
            pairs += int(np.count_nonzero(table["rank"].to_numpy() == 0))
    if not pairs:
        value = f"0 pairs in {len(shards)} shards"
        raise PipelineError("no pairs", "pair_shard_index", value, "loosen the thresholds of the pair table")
    files = {shard.name: shard.manifest["files"][".images"] for shard in shards}
    job.file(".json").write_bytes(pretty({"pair_shards": files}))
    job.rows(pairs, pairs)


STAGE = Stage(
    run=pair_shard_index,
    settings=PairShardIndex,
    artifact="{pairs}",
    inputs=("shards",),
    packages=("numpy", "pyarrow"),
)

FACTS = Facts(
    files={
        ".parquet": File(
            "the images of all pair shards in order: key, number of the pair, rank, shard, block, offset, size, sha256"
        ),
        ".json": File("the shards", published=True),
    },
    environment="core",
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 500),
    cost=Cost(per="image", units=lambda load: load.held, core_ms=0.1, source="assumed: same as image_index"),
    names="sharded_pairs",
    section="pair_shards",
)

if __name__ == "__main__":
    run_stage(STAGE)
