"""Original and generated captions of all images in one table, in the order of the image index."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage


class CaptionTable(Settings):
    """This stage has no settings."""


def caption_table(job: Job[CaptionTable]) -> None:
    """Join the shards of recaption and download to the image index."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.table import gather
    from workflow_scripts.core.files.tables import write_table

    images = job.input("images")
    index = pq.read_table(images.path(".parquet"), columns=["key", "subreddit", "year"])
    scored = pa.concat_tables(pq.read_table(shard.path(".parquet")) for shard in job.inputs("recaption"))
    plans = [
        pq.read_table(shard.path(".parquet"), columns=["key", "caption", "state"]) for shard in job.inputs("download")
    ]
    rows = pa.concat_tables(plans)
    originals = rows.filter(pc.equal(rows["state"], "ok"))
    write_table(job.file(".parquet"), gather(index, scored, originals, images.manifest_path))
    job.rows(len(index), len(index))


STAGE = Stage(
    run=caption_table,
    settings=CaptionTable,
    artifact="captions",
    inputs=("images", "download", "recaption"),
    packages=("pyarrow",),
)

FACTS = Facts(
    files={".parquet": File("one row per image, all shards together")},
    environment="core",
    resources=Resources(minutes=120, memory_mb=2_000, data=lambda load: load.images * 2_000),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
)

if __name__ == "__main__":
    run_stage(STAGE)
