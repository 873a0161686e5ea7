"""The location of every image of the study in the packs, over all shards."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.stages.image_index import collect


def pack_index(job: Job[Settings]) -> None:
    """Collect the tables of the packs; the images stay in place."""
    collect(job, "packs", ".images", "packs")


STAGE = Stage(run=pack_index, artifact="images", packages=("pyarrow",))

FACTS = Facts(
    files={
        ".parquet": File("the table of `image_index`, with the places, sizes and hashes of the packed images"),
        ".json": File("the packs", published=True),
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="assumed: same as image_index"),
    names=lambda units: ["images"] if units.names("pack") else [],
    inputs={"packs": "pack/*"},
)

if __name__ == "__main__":
    run_stage(STAGE)
