"""A setting that encoders of images and of captions share."""

from pydantic import Field

CHUNK_BATCHES = Field(
    32,
    ge=1,
    description="batches per file of finished vectors; an interrupted job resumes after the last file",
    examples=[16],
    json_schema_extra={"unit": "batches"},
)
"""The setting ``chunk_batches``."""
