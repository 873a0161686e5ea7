"""Settings of ``embed_images``."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class EmbedImages(Settings):
    """How images become vectors."""

    kind: Literal["blip2", "transformers"] = Field(
        "transformers", description="blip2: contrastive feature of a matcher; transformers: any AutoModel for images"
    )
    batch_size: int = Field(64, ge=1, description="images per forward pass")
    chunk_batches: int = Field(32, ge=1, description="batches per file that a stopped job resumes from")
