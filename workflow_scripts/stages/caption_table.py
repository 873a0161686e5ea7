"""Original and generated captions of all images in one table, in the order of the image index."""

from typing import TYPE_CHECKING

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def caption_table(job: Job[Settings]) -> None:
    """Join the shards of recaption, if there are any, and download to the image index, shard by shard."""
    from workflow_scripts.captions.table import TABLE
    from workflow_scripts.core.files.tables import write_parts

    rows = write_parts(job.file(".parquet"), TABLE, _shards(job))
    job.rows(rows, rows)


def _shards(job: Job[Settings]) -> "Iterator[pa.Table]":
    """The rows of each shard, in the order of the index, which is that of the shards.

    Raises:
        PipelineError: the index, the downloads and the scores are not of the same images.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.table import gather, unscored
    from workflow_scripts.core.files.tables import RowReader

    images, scores = job.input("images"), {shard.name: shard for shard in job.inputs("recaption")}
    index = RowReader([images.path(".parquet")], ["key", "subreddit", "year"])
    for shard in job.inputs("download"):
        rows = pq.read_table(shard.path(".parquet"), columns=["key", "caption", "state"])
        originals = rows.filter(pc.equal(rows["state"], "ok"))
        if scores and shard.name not in scores:
            raise unscored(images.manifest_path, f"no scores for shard {shard.name}")
        scored = pq.read_table(scores[shard.name].path(".parquet")) if scores else None
        yield gather(index.read(len(originals)), scored, originals, images.manifest_path)
    if len(unmatched := index.read(1)):
        raise unscored(images.manifest_path, f"{unmatched['key'][0]} is in no shard")


STAGE = Stage(
    run=caption_table,
    artifact="captions",
    packages=("pyarrow",),
)

FACTS = Facts(
    files={".parquet": File("one row per image, all shards together")},
    resources=Resources(minutes=120, memory_mb=2_000),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
    inputs={"images": "image_index/images", "download": "download/*", "recaption": "recaption/*"},
)

if __name__ == "__main__":
    run_stage(STAGE)
