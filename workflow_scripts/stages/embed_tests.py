"""Unit vectors of the test images of a downstream dataset, by an encoder of the training images.

Inputs: ``dataset`` (eval_dataset), ``encoder`` and ``run`` as of ``embed_images``.
"""

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.width import WIDTH
from workflow_scripts.stages.embed_images_part import EmbedImagesPart, image_vectors


class EmbedTests(EmbedImagesPart):
    """How test images are embedded: as the training images are."""


def embed_tests(job: Job[EmbedTests]) -> None:
    """Encode the test images in the order of the dataset's table, with their keys."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import TarImages, dataset_images

    dataset = job.input("dataset")
    table = pq.read_table(dataset.path(".parquet"), columns=["key", "split"])
    rows = pc.indices_nonzero(pc.equal(table["split"], "test")).to_numpy()
    every = dataset_images(dataset)
    images = TarImages(every.tars, every.tar[rows], every.offset[rows], every.size[rows], every.sha256[rows])
    np.save(job.file(".npy"), image_vectors(job, images), allow_pickle=False)
    write_table(job.file(".keys.parquet"), table.take(rows).select(["key"]))
    job.rows(len(table), len(rows), {"other_splits": len(table) - len(rows)})


STAGE = Stage(
    run=embed_tests,
    settings=EmbedTests,
    artifact="{dataset}.{encoder}",
    inputs=("dataset", "encoder", "run"),
    packages=("torch", "transformers", "torchvision", "timm", "pillow", "simplejpeg"),
    not_in_key=frozenset({"chunk_batches"}),
    on_device=True,
)

FACTS = Facts(
    files={
        ".npy": File("unit-length rows, float32", Tolerance(1e-5, 0, "3e-7")),
        ".keys.parquet": File("the key of each row"),
    },
    environment="train",
    resources=Resources(minutes=480, memory_mb=16_000, data=lambda load: load.tested * 4_000, workers=True, gpu=True),
    cost=Cost(
        per="test image",
        units=lambda load: load.tested,
        core_ms=DECODING_MS,
        gflop=lambda _: 162,
        source="measured decoding; counted: CLIP ViT-L/14",
    ),
    disk=lambda load: load.tested * WIDTH * 4,
    names="vector_matches",
    section="image_encoders.{encoder}",
    sources={"encoder": "encoder-{encoder}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
