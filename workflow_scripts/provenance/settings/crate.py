"""Settings of the crate."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Crate(Settings):
    """What a crate of the study says and holds."""

    license: str = Field(
        "Not stated: ask those who made the study.",
        min_length=1,
        description="the study's licence: a URL, or a sentence",
    )
    max_file_mb: float = Field(
        1.0, ge=0, description="files up to this size [MB] are included; larger ones are named by hash"
    )
