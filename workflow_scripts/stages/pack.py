"""The images of one shard as training reads them: in one file, and scaled down if the study says so."""

import math

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class Pack(Settings):
    """How images are packed for training, the same for all runs."""

    shorter_side: int | None = quantity(256, unit="px", ge=16, examples=[320])
    """Images are stored as JPEGs whose shorter side has this length; images that are not larger keep their bytes. null:
    all keep their bytes, so trainings give the same bytes as without packs."""
    jpeg_quality: int = Field(90, ge=1, le=95, examples=[95])
    """Quality of these JPEGs."""


def pack(job: Job[Pack]) -> None:
    """Write the shard's images one after another; those that keep their bytes are counted by reason."""
    from workflow_scripts.acquisition.shards.index import COLUMNS
    from workflow_scripts.acquisition.shards.pack_file import write_pack
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.shards import shard_images

    settings, paths = job.settings, (job.file(".images"), job.file(".parquet"))
    images, rows, lost = shard_images(job.input("shard"), COLUMNS)
    counts = write_pack(images, rows, settings.shorter_side, settings.jpeg_quality, paths, job.workers)
    job.file(".json").write_bytes(pretty({"images": dict(sorted(counts.items()))}))
    job.rows(len(rows) + lost, len(rows), {"no_image": lost})


STAGE = Stage(run=pack, settings=Pack, artifact="{shard}", packages=("pillow", "pyarrow"), numbered=True)

PER_SQUARE = 0.55  # bytes of a JPEG per squared shorter side: photos scaled to 256 pixels take 36 kB

FACTS = Facts(
    files={
        ".images": File("the encoded images of a shard, one after another"),
        ".parquet": File("where each of them is: offset (int64), bytes, width, height and sha256"),
        ".json": File(
            "number of images that were scaled, and of those that kept their bytes: `small`, `undecodable`, or "
            "`unchanged` where none is scaled",
            published=True,
        ),
    },
    resources=Resources(minutes=120, memory_mb=4_000, workers=True, slot="packs"),
    cost=Cost(
        per="image",
        units=lambda load: load.images * (load.settings["shorter_side"] is not None),
        core_ms=4.6,
        source="measured: photos of 512 pixels scaled to 256",
    ),
    disk=lambda load: (
        load.images * min(load.image_bytes, PER_SQUARE * (load.settings["shorter_side"] or math.inf) ** 2)
    ),
    section="pack",
    group="pack",
    names=lambda units: units.shards if units.trains and units.study.pack else [],
    inputs={"shard": "download/{shard}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
