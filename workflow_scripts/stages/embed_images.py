"""Unit vectors of the images.

Inputs: ``images`` (image_index), ``encoder`` (source; models from elsewhere), ``run`` (pretrain; networks of the
study), ``parts`` (embed_images_part; where the work is divided).
"""

from dataclasses import replace

from workflow_scripts.core.declaration.facts import undivided
from workflow_scripts.core.declaration.parts import PARTS
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.facts import IMAGES, KEYS
from workflow_scripts.embeddings.image_encoders import PACKAGES
from workflow_scripts.stages.embed_images_part import EmbedImagesPart, image_vectors


class EmbedImages(EmbedImagesPart):
    """How images are embedded."""

    parts: int = PARTS


def embed_images(job: Job[EmbedImages]) -> None:
    """Encode the images in index order, with their keys."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import index_images
    from workflow_scripts.embeddings.chunks import gathered

    index, parts = job.input("images"), job.inputs("parts")
    vectors = gathered(parts) if parts else image_vectors(job, index_images(index))
    np.save(job.file(".npy"), vectors, allow_pickle=False)
    write_table(job.file(".keys.parquet"), pq.read_table(index.path(".parquet"), columns=["key", "subreddit", "year"]))
    job.rows(len(vectors), len(vectors))


STAGE = Stage(
    run=embed_images,
    settings=EmbedImages,
    artifact="{encoder}",
    packages=PACKAGES,
    not_in_key=frozenset({"chunk_batches", "parts"}),
    on_device=True,
)

FACTS = replace(
    IMAGES,
    files={**IMAGES.files, ".keys.parquet": KEYS},
    cost=replace(IMAGES.cost, units=undivided(IMAGES.cost.units)),
    names=lambda units: [encoder.name for encoder in units.study.image_encoders],
    inputs={
        "images": "image_index/images",
        "run": lambda units, unit: units.encoder_run(unit["encoder"]),
        "parts": lambda units, unit: units.parts("embed_images_part", unit["encoder"]),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
