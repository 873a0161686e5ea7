"""Unit vectors of the test images of a downstream dataset, by an encoder of the training images.

Inputs: ``dataset`` (eval_dataset), ``encoder`` and ``run`` as of ``embed_images``.
"""

from dataclasses import replace

from workflow_scripts.core.runtime.stage import Job, run_stage
from workflow_scripts.embeddings.facts import IMAGES, WIDTH
from workflow_scripts.stages import embed_images
from workflow_scripts.stages.embed_images import EmbedImages, image_vectors


def embed_tests(job: Job[EmbedImages]) -> None:
    """Encode the test images in the order of the dataset's table, with their keys."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import TarImages, dataset_images

    dataset = job.input("dataset")
    table = pq.read_table(dataset.path(".parquet"), columns=["key", "split"])
    rows = pc.indices_nonzero(pc.equal(table["split"], "test")).to_numpy()
    stored = dataset_images(dataset)
    images = TarImages(stored.tars, stored.tar[rows], stored.offset[rows], stored.size[rows], stored.sha256[rows])
    np.save(job.file(".npy"), image_vectors(job, images), allow_pickle=False)
    write_table(job.file(".keys.parquet"), table.take(rows).select(["key"]))
    job.rows(len(table), len(rows), {"other_splits": len(table) - len(rows)})


STAGE = replace(embed_images.STAGE, run=embed_tests, artifact="{dataset}.{encoder}")

FACTS = replace(
    IMAGES,
    resources=replace(IMAGES.resources, minutes=480, data=lambda load: load.tested * 4_000),
    cost=replace(IMAGES.cost, per="test image", units=lambda load: load.tested),
    disk=lambda load: load.tested * WIDTH * 4,
    names=lambda units: units.names("vector_matches"),
    inputs={"dataset": "eval_dataset/{dataset}", "run": lambda units, unit: units.encoder_run(unit["encoder"])},
)

if __name__ == "__main__":
    run_stage(STAGE)
