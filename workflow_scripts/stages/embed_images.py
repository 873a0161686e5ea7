"""Unit vectors of the images.

Inputs: ``images`` (image_index), ``encoder`` (source; models from elsewhere), ``run`` (pretrain; networks of the
study).
"""

from dataclasses import replace
from operator import not_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.embeddings.facts import IMAGES
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS, PACKAGES
from workflow_scripts.models.networks.view import View

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.core.shards import TarImages


class EmbedImages(Settings):
    """How images are embedded."""

    kind: Annotated[str, OneOf(IMAGE_ENCODERS)] = Field(
        "transformers", description=f"what the model is. {listed(IMAGE_ENCODERS)}", examples=["blip2"]
    )
    batch_size: int = quantity(64, unit="images", ge=1, examples=[128])
    """Images per forward pass."""
    weights: SkipJsonSchema[str | None] = Field(None, exclude_if=not_)
    """Run: name of the checkpoint's file; set by the workflow."""
    view: SkipJsonSchema[View | None] = Field(None, exclude_if=not_)
    """Run: how its network sees images; set by the workflow."""


def embed_images(job: Job[EmbedImages]) -> None:
    """Encode the images in index order, with their keys."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import index_images

    index = job.input("images")
    vectors = image_vectors(job, index_images(index))
    np.save(job.file(".npy"), vectors, allow_pickle=False)
    write_table(job.file(".keys.parquet"), pq.read_table(index.path(".parquet"), columns=["key", "subreddit", "year"]))
    job.rows(len(vectors), len(vectors))


def image_vectors(job: Job[Any], images: "TarImages") -> "np.ndarray":
    """(n, d) float32 unit rows of the images, by the encoder of a job with these settings.

    Raises:
        PipelineError: a file of the encoder is missing or damaged.
    """
    from workflow_scripts.embeddings.images import embed

    encoder = IMAGE_ENCODERS[job.settings.kind].load(job)
    return embed(images, encoder, job.settings.batch_size, job.work, job.workers)


STAGE = Stage(
    run=embed_images,
    settings=EmbedImages,
    artifact="{encoder}",
    packages=PACKAGES,
    on_device=True,
    entries=lambda settings: {"embeddings.image_encoders": [settings.kind]},
)

FACTS = replace(
    IMAGES,
    names=lambda units: [encoder.name for encoder in units.study.image_encoders],
    inputs={"images": "image_index/images", "run": lambda units, unit: units.encoder_run(unit["encoder"])},
)

if __name__ == "__main__":
    run_stage(STAGE)
