"""Settings of ``select_captions``."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings

Kind = Literal["original", "generated", "revised", "shuffled", "mixed", "external"]
Base = Literal["original", "generated", "revised"]


class SelectCaptions(Settings):
    """Which caption each image of an arm gets."""

    kind: Kind = Field(description="rule of the arm")
    base: Base = Field("original", description="captions that shuffled and mixed start from")
    margin: float = Field(0.0, description="revised: ITM logit difference by which a generated caption must be better")
    threshold: float | None = Field(
        None, description="revised: an original whose ITM logit difference is lower is replaced whatever the margin"
    )
    share: float = Field(0.5, ge=0, le=1, description="mixed: share of images that keep the base caption")
    max_missing_share: float = Field(0.0, ge=0, le=1, description="external: share of images that may lack a caption")
    seed: int = Field(0, description="seed of shuffled and mixed")
