"""Fingerprints of the images of a block of shards, by which they are recognised in test splits and among partners."""

from typing import Any

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.parts import blocks, shards_of
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


def image_hashes(job: Job[Settings]) -> None:
    """Hash the images of the block's shards, each decoded once."""
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import shard_images
    from workflow_scripts.evaluation.leakage.fingerprints import fingerprint, fingerprints_table

    lost, parts = 0, []
    for shard in job.inputs("shards"):
        images, rows, without = shard_images(shard, ["key", "offset", "bytes", "sha256"])
        hashes = fingerprint(images, np.arange(len(rows)), mirrored=False, workers=job.workers)
        parts.append(fingerprints_table(rows["key"].to_pylist(), hashes))
        lost += without
    table = pa.concat_tables(parts)
    write_table(job.file(".parquet"), table)
    job.rows(len(table) + lost, len(table), {"no_image": lost})


def _are_compared(units: Any) -> bool:
    return bool(units.names("leakage")) or any(pairs.drop_same_picture for pairs in units.study.pairs)


STAGE = Stage(run=image_hashes, artifact="{block}", packages=("numpy", "pillow", "simplejpeg", "pyarrow"))

FACTS = Facts(
    files={
        ".parquet": File(
            "by image: hash of the decoded pixels, perceptual hashes of the image and of five crops, grey picture of "
            "32 × 32 pixels, and whether it is nearly of one colour",
            Tolerance(0, 0.001, "none; coefficients at their median"),
        )
    },
    environment="train",
    resources=Resources(minutes=720, memory_mb=4_000, workers=True),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=DECODING_MS + 2.7, source="measured: photos"),
    disk=lambda load: load.images * 1_300,
    names=lambda units: blocks(units.shards, 50) if _are_compared(units) else [],
    inputs={"shards": lambda _, unit: [f"download/{shard}" for shard in shards_of(unit["block"])]},
)

if __name__ == "__main__":
    run_stage(STAGE)
