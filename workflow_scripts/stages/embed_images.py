"""Unit vectors of the images."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage


class EmbedImages(Settings):
    """How images become vectors."""

    kind: Literal["blip2", "transformers"] = Field(
        "transformers",
        description="blip2: the contrastive image feature of a BLIP-2 matcher; transformers: any AutoModel for images",
        examples=["blip2"],
    )
    batch_size: int = Field(
        64, ge=1, description="images per forward pass", examples=[128], json_schema_extra={"unit": "images"}
    )
    chunk_batches: int = Field(
        32,
        ge=1,
        description="batches per file of finished vectors; an interrupted job resumes after the last file",
        examples=[16],
        json_schema_extra={"unit": "batches"},
    )


def embed_images(job: Job[EmbedImages]) -> None:
    """Encode the images in index order, keys beside them."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import index_images
    from workflow_scripts.embeddings.images import blip2_encoder, embed, transformers_encoder

    options = job.settings
    index = job.input("images")
    load = blip2_encoder if options.kind == "blip2" else transformers_encoder
    encoder = load(job.source("encoder"), job.device)
    images = index_images(index)
    with ThreadPoolExecutor(max_workers=max(1, job.workers)) as pool:
        vectors = embed(images, encoder, options.batch_size, options.chunk_batches, job.work, pool)
    with open(job.file(".npy"), "wb") as stream:
        np.save(stream, vectors)
    write_table(job.file(".keys.parquet"), pq.read_table(index.path(".parquet"), columns=["key", "subreddit", "year"]))
    job.rows(len(vectors), len(vectors))


STAGE = Stage(
    run=embed_images,
    settings=EmbedImages,
    artifact="{encoder}",
    inputs=("images", "encoder"),
    packages=("torch", "transformers", "torchvision", "pillow"),
    on_device=True,
)

if __name__ == "__main__":
    run_stage(STAGE)
