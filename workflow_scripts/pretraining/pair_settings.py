"""Settings of the pairs of a run."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.method import PairKind

BY_CAPTION: tuple[PairKind, ...] = ("language", "caption")
"""Kinds of pairs that are right only as far as captions describe their images."""


class PairSettings(Settings):
    """What is done with images without a partner, and how much each pair counts."""

    unpaired: Literal["drop", "self"] = Field(
        "drop",
        exclude_if="drop".__eq__,
        description="what is done with images without a partner in the pair table. drop: they are left out; self: they "
        "are paired with themselves",
        examples=["self"],
    )
    pair_weight: Literal["none", "itm", "agreement"] = Field(
        "none",
        exclude_if="none".__eq__,
        description="score by which a pair counts less in the loss if its captions are unlikely to fit their "
        "images (docs/methods.md). none: all count the same; itm: the matcher's probability that caption and image "
        "belong together; agreement: the similarity of the original and the generated caption",
        examples=["itm"],
    )

    @property
    def weighted(self) -> bool:
        """Whether pairs have weights."""
        return self.pair_weight != "none"
