"""Images that all runs of a study train on: those that every run has on its own.

Inputs: ``images`` (image_index); ``pairs`` (pair_table) and ``captions`` (select_captions) of the runs that leave out
images without a partner or a caption. Runs with self pairs, or with ``unpaired: self``, have all images.
"""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


def common_images(job: Job[Settings]) -> None:
    """Write the keys of the common images, in the order of the image index.

    Which tables they were taken from is in the run record only: the same images are the same artifact, so that a run
    that leaves them as they are makes no training stale.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.pretraining.data.pairing import from_captions, from_table

    keys = pq.read_table(job.input("images").path(".parquet"), columns=["key"])["key"]
    common, counts = np.arange(len(keys)), {}
    for artifact in (*job.inputs("pairs"), *job.inputs("captions")):
        path = artifact.path(".parquet")
        if artifact.manifest["stage"] == "pair_table":
            pairing = from_table(keys, pq.read_table(path, columns=["source", "target", "rank"]), path)
        else:
            pairing, _ = from_captions(keys, pq.read_table(path, columns=["key", "caption"]), path)
        common = np.intersect1d(common, pairing.sources, assume_unique=True)
        counts[f"{artifact.manifest['stage']}/{artifact.name}"] = len(pairing)
    if not len(common):
        value = ", ".join(f"{name} has {count:,} of {len(keys):,}" for name, count in counts.items())
        advice = "loosen the thresholds of a pair table, give its runs unpaired: self, or set common_images to false"
        raise PipelineError("no image that all runs have", "common_images", value, advice)
    write_table(job.file(".parquet"), pa.table({"key": keys.take(pa.array(common))}))
    job.rows(len(keys), len(common), {"not_common": len(keys) - len(common)})
    job.note(images=counts)


STAGE = Stage(
    run=common_images,
    artifact="images",
    packages=("numpy", "pyarrow"),
)

FACTS = Facts(
    files={".parquet": File("with `common_images: true`: keys of the images that all runs train on")},
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 2_000),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="assumed"),
    names=lambda units: ["images"] if units.study.common_images and units.trains else [],
    inputs={
        "images": "image_index/images",
        # Of the runs that leave images out.
        "pairs": lambda units, _: sorted({name for run in units.dropping() for name in run.pair_table}),
        "captions": lambda units, _: sorted(
            {f"select_captions/{run.learned_arm}" for run in units.dropping() if run.learned_arm}
        ),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
