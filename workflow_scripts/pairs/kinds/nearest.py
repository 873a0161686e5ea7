"""The nearest neighbours, with optional corrections for hubs and thresholds."""

from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.core.settings import quantity, refuse_changed
from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, Pairs, PartnerSettings

if TYPE_CHECKING:
    import numpy as np


class Nearest(PartnerSettings):
    """Which nearest neighbours form pairs."""

    min_cosine: float | None = quantity(
        None,
        unit="cosine",
        ge=-1,
        le=1,
        description="pairs that are less similar are dropped; null: no limit",
        examples=[0.5],
    )
    max_cosine: float | None = quantity(
        None,
        unit="cosine",
        ge=-1,
        le=1,
        description="more similar neighbours are skipped, such as repeated captions at 0.999; null: no limit",
        examples=[0.999],
    )
    hubs: Literal["none", "cap"] = Field(
        "none",
        description="which of its nearest candidates an image gets as partners. none: the nearest; cap: the nearest "
        "that is not yet a partner of max_uses images, the most similar pairs first",
        examples=["cap"],
    )
    candidates: int = quantity(
        20, unit="neighbours", ge=1, description="nearest images among which cap chooses", examples=[50]
    )
    max_uses: int = quantity(
        2, unit="images", ge=1, description="most images that cap lets share a partner", examples=[1]
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_cosine is not None and self.max_cosine is not None and self.min_cosine > self.max_cosine:
            raise ValueError(f"min_cosine {self.min_cosine} is above max_cosine {self.max_cosine}")
        if self.hubs == "cap" and self.candidates < self.k:
            value = f"candidates {self.candidates} is below k {self.k}"
            raise ValueError(f"{value}, so no image could have {self.k} partners")
        if self.hubs == "none":
            refuse_changed(self, ("candidates", "max_uses"), "with hubs none")
        return self


def find(inputs: PairInputs, settings: Nearest) -> Pairs:
    """Partners by scope, then only the pairs within the thresholds."""
    from workflow_scripts.pairs.table import by_scope, keep
    from workflow_scripts.pairs.ties import identities

    ids = identities(inputs.keys["key"], settings.seed)
    found = partial(_within, inputs, settings, ids)
    pairs = by_scope(inputs.vectors, inputs.keys, settings.scope, settings.k, found)
    if settings.min_cosine is None:
        return pairs
    return keep(pairs, pairs.cosine >= settings.min_cosine, "outside_thresholds")


def _within(inputs: PairInputs, settings: Nearest, ids: "np.ndarray", rows: "np.ndarray") -> Pairs:
    """Pairs of one scope, before the lower threshold."""
    import numpy as np

    from workflow_scripts.pairs.neighbours import How, Rule, nearest
    from workflow_scripts.pairs.selection import capped
    from workflow_scripts.pairs.table import without_pair

    vectors = inputs.vectors if len(rows) == len(inputs.vectors) else np.ascontiguousarray(inputs.vectors[rows])
    highest = np.inf if settings.max_cosine is None else settings.max_cosine
    rule = Rule(settings.candidates if settings.hubs == "cap" else settings.k, highest)
    near = nearest(vectors, ids[rows], rule, How(inputs.device, inputs.workers))
    outside = without_pair(near.target)
    if settings.hubs == "cap":
        near = capped(near, settings.k, settings.max_uses)
    without = {"outside_thresholds": outside, "partners_used_up": without_pair(near.target) - outside}
    return Pairs(near.target, near.cosine, without)


PAIR_KIND = PairKind(
    name="nearest",
    summary="the nearest neighbours",
    settings=Nearest,
    find=find,
)
