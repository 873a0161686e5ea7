"""The location of every image of the study, over all shards."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


def image_index(job: Job[Settings]) -> None:
    """Collect the shards' tables; the tars stay in place."""
    collect(job, "download", ".tar", "tars")


def collect(job: Job[Settings], name: str, suffix: str, files: str) -> None:
    """Write one table of the input ``name``, and under ``files`` its files with this suffix."""
    from workflow_scripts.acquisition.shards.index import index
    from workflow_scripts.core.files.jsonio import pretty

    # A shard's number is read from its name: its manifest may come from the cache, where it had another number.
    shards = job.inputs(name)
    rows, lost = index([(int(shard.name), shard.path(".parquet")) for shard in shards], job.file(".parquet"))
    stored = {shard.name: shard.manifest["files"][suffix] for shard in shards}
    job.file(".json").write_bytes(pretty({files: stored}))
    job.rows(rows + sum(lost.values()), rows, lost)


STAGE = Stage(run=image_index, artifact="images", packages=("pyarrow",))

FACTS = Facts(
    files={
        ".parquet": File("key, shard, offset, size and sha256 of every image with state `ok`"),
        ".json": File("the tars", published=True),
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.rows * 500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
    inputs={"download": "download/*"},
)

if __name__ == "__main__":
    run_stage(STAGE)
