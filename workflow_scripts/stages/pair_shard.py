"""A part of the pairs of a study as a file: each image followed by its partners, which training reads in large blocks.

Inputs: ``images`` (image_index or pack_index), ``pairs`` (pair_table; none where each image is paired with itself).
"""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.pretraining.data.pair_shards.settings import PairOrder

READERS = 16  # threads: their waiting for a slow file server overlaps


class PairShard(PairOrder):
    """Which pairs the shards hold, and in which order."""

    unpaired: Literal["drop", "self"] = Field(
        "drop", description="self: images without a partner are there, too, for the runs that pair them with themselves"
    )


def pair_shard(job: Job[PairShard]) -> None:
    """Write the images of a part of the pairs, as they are stored."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.acquisition.shards.pack_file import write_pack
    from workflow_scripts.core.declaration.parts import named_part
    from workflow_scripts.core.shards import TarImages, index_images
    from workflow_scripts.pretraining.data.pair_shards.shards import hashed_order, slots_of
    from workflow_scripts.pretraining.data.pairing import completed, from_table, with_itself

    index = job.input("images")
    table = pq.read_table(index.path(".parquet"), columns=["key", "offset", "size", "width", "height", "sha256"])
    pairing = with_itself(len(table))
    if job.inputs("pairs"):
        path = job.input("pairs").path(".parquet")
        pairing = from_table(table["key"], pq.read_table(path, columns=["source", "target", "rank"]), path)
        pairing = completed(pairing, len(table)) if job.settings.unpaired == "self" else pairing
    order = hashed_order(table["key"].take(pa.array(pairing.sources)), job.settings.seed)
    pairs = named_part(job.unit["part"]).rows(len(pairing))
    slots = slots_of(pairing, order, pairs)
    rows = table.rename_columns({"size": "bytes"}).take(pa.array(slots.rows))
    rows = rows.append_column("pair", pa.array(slots.pair)).append_column("rank", pa.array(slots.rank))
    every = index_images(index)
    places = (np.asarray(values)[slots.rows] for values in (every.tar, every.offset, every.size, every.sha256))
    paths = job.file(".images"), job.file(".parquet")
    write_pack(TarImages(every.tars, *places), rows, None, 0, paths, max(READERS, job.workers))
    job.rows(len(pairs), len(pairs))
    job.note(images=len(slots.rows))


STAGE = Stage(
    run=pair_shard,
    settings=PairShard,
    artifact="{pairs}.{part}",
    inputs=("images", "pairs"),
    packages=("numpy", "pyarrow"),
)

FACTS = Facts(
    files={
        ".images": File("encoded images of a part of the pairs, each followed by its partners"),
        ".parquet": File(
            "where each of them is: key, number of the pair, rank (0: the source), offset (int64), bytes, width, "
            "height and sha256"
        ),
    },
    environment="core",
    resources=Resources(
        minutes=240,
        memory_mb=4_000,
        data=lambda load: load.images * load.parts * 900,  # the tables of all images and pairs
        workers=True,
    ),
    cost=Cost(
        per="image",
        units=lambda load: load.held,
        core_ms=0.2,
        source="measured: photos of 68 kB read, verified and written",
    ),
    disk=lambda load: load.held * load.held_bytes,
    names="pair_shards",
)

if __name__ == "__main__":
    run_stage(STAGE)
