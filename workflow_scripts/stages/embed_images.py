"""Unit vectors of the images.

Inputs: ``images`` (image_index), ``encoder`` (source; models from elsewhere), ``run`` (pretrain; networks of the
study).
"""

from operator import not_
from typing import Annotated, Any

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS, ImageModel
from workflow_scripts.embeddings.width import WIDTH
from workflow_scripts.models.networks.view import View


class EmbedImages(Settings):
    """How images are embedded."""

    kind: Annotated[str, OneOf(IMAGE_ENCODERS)] = Field(
        "transformers", description=f"what the model is. {listed(IMAGE_ENCODERS)}", examples=["blip2"]
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
    weights: SkipJsonSchema[str | None] = Field(
        None, exclude_if=not_, description="run: name of the checkpoint's file; set by the workflow"
    )
    view: SkipJsonSchema[View | None] = Field(
        None, exclude_if=not_, description="run: how its network sees images; set by the workflow"
    )


def embed_images(job: Job[EmbedImages]) -> None:
    """Encode the images in index order, with their keys."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import index_images
    from workflow_scripts.embeddings.images import embed

    options = job.settings
    index = job.input("images")
    encoder = IMAGE_ENCODERS[options.kind].load(image_model(job))
    images = index_images(index)
    with ThreadPoolExecutor(max_workers=max(1, job.workers)) as pool:
        vectors = embed(images, encoder, options.batch_size, options.chunk_batches, job.work, pool)
    with open(job.file(".npy"), "wb") as stream:
        np.save(stream, vectors)
    write_table(job.file(".keys.parquet"), pq.read_table(index.path(".parquet"), columns=["key", "subreddit", "year"]))
    job.rows(len(vectors), len(vectors))


def image_model(job: Job[Any]) -> ImageModel:
    """What the encoder of a job with these settings is loaded from.

    Raises:
        PipelineError: a file of it is missing or damaged.
    """
    settings = job.settings
    if IMAGE_ENCODERS[settings.kind].needs != "run":
        return ImageModel(job.source("encoder"), job.device)
    run = job.input("run")
    return ImageModel(run.path(f"/{settings.weights}.safetensors"), job.device, run.path("/run.json"), settings.view)


STAGE = Stage(
    run=embed_images,
    settings=EmbedImages,
    artifact="{encoder}",
    inputs=("images", "encoder", "run"),
    packages=("torch", "transformers", "torchvision", "timm", "pillow", "simplejpeg"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".npy": File("unit-length rows, float32", Tolerance(1e-5, 0, "3e-7")),
        ".keys.parquet": File("the key of each row"),
    },
    environment="train",
    resources=Resources(minutes=720, memory_mb=96_000, scales="gpu", workers=True, gpu=True),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=DECODING_MS,
        gflop=lambda _: 162,
        source="measured decoding; counted: CLIP ViT-L/14",
    ),
    disk=lambda load: load.rows * WIDTH * 4,
    names="image_encoders",
    section="image_encoders.{encoder}",
    sources={"encoder": "encoder-{encoder}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
