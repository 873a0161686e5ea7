"""Settings of ``embed_captions``."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class EmbedCaptions(Settings):
    """How captions become vectors."""

    batch_size: int = Field(256, ge=1, description="captions per forward pass")
    chunk_batches: int = Field(32, ge=1, description="batches per file that a stopped job resumes from")
