"""Settings of all that scores captions with BLIP-2's matcher."""

from typing import Annotated

from pydantic import Field

from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.models.text_norms import TEXT_NORMS


class MatchedText(Settings):
    """How captions are read."""

    max_text_tokens: int = Field(
        32,
        ge=3,
        description="maximum length of a scored caption; longer ones are truncated; BLIP-2: 32",
        examples=[24],
        json_schema_extra={"unit": "tokens"},
    )
    text_norm: Annotated[str, OneOf(TEXT_NORMS)] = Field(
        "blip", description=f"how a caption is written when it is scored. {listed(TEXT_NORMS)}", examples=["none"]
    )
