"""Settings of ``pair_table``."""

from typing import Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings


class PairTable(Settings):
    """Which neighbours an image gets."""

    k: int = Field(1, ge=1, description="neighbours per image; the paper takes 1")
    scope: Literal["global", "subreddit", "year", "subreddit_year"] = Field(
        "global", description="where neighbours are searched: everywhere, or among images that share these"
    )
    min_cosine: float | None = Field(None, ge=-1, le=1, description="less similar neighbours are skipped")
    max_cosine: float | None = Field(
        None, ge=-1, le=1, description="more similar neighbours are skipped, e.g. 0.999 for repeated captions"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "PairTable":
        if self.min_cosine is not None and self.max_cosine is not None and self.min_cosine > self.max_cosine:
            raise ValueError(f"min_cosine {self.min_cosine} is above max_cosine {self.max_cosine}")
        return self
