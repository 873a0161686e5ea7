"""Settings of ``pair_quality``."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class PairQuality(Settings):
    """How pairs are judged."""

    label: Literal["concept", "colour", "texture", "size", "scene"] | None = Field(
        None, description="column of the truth table whose agreement is the purity of pairs; null where none is known"
    )
    bootstrap: int = Field(1000, ge=100, description="resamples of source images behind intervals of means")
    seed: int = Field(0, description="seed of random pairs and of the bootstrap")
