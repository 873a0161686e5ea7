"""The location of every image of the study in the packs, over all shards."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


def pack_index(job: Job[Settings]) -> None:
    """Collect the tables of the packs; the images stay in place."""
    from workflow_scripts.acquisition.shards.index import index
    from workflow_scripts.core.files.jsonio import pretty

    # A shard's number is read from its name: its manifest may come from the cache, where it had another number.
    packs = job.inputs("packs")
    rows, lost = index([(int(pack.name), pack.path(".parquet")) for pack in packs], job.file(".parquet"))
    files = {pack.name: pack.manifest["files"][".images"] for pack in packs}
    job.file(".json").write_bytes(pretty({"packs": files}))
    job.rows(rows + sum(lost.values()), rows, lost)


STAGE = Stage(
    run=pack_index,
    artifact="images",
    packages=("pyarrow",),
)

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
