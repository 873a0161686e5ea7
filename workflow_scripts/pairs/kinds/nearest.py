"""The nearest neighbours, with optional corrections for hubs and thresholds."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.pairs.hubs import HUBS, HubSettings
from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, PartnerSettings

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.pairs.table import Pairs

QUANTILE = "quantile of the cosines of all pairs of the table"


class Nearest(PartnerSettings, HubSettings):
    """Which nearest neighbours form pairs."""

    min_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="pairs that are less similar are dropped; null: no limit",
        examples=[0.5],
        json_schema_extra={"unit": "cosine"},
    )
    max_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="more similar neighbours are skipped, such as repeated captions at 0.999; null: no limit",
        examples=[0.999],
        json_schema_extra={"unit": "cosine"},
    )
    min_quantile: float | None = Field(
        None, ge=0, le=1, description=f"less similar pairs than this {QUANTILE} are dropped; null: none", examples=[0.5]
    )
    max_quantile: float | None = Field(
        None,
        ge=0,
        le=1,
        description=f"more similar pairs than this {QUANTILE} are dropped; null: none",
        examples=[0.95],
    )
    mutual: int | None = Field(
        None,
        ge=1,
        description="partners must be among this many nearest neighbours of each other; null: not required",
        examples=[10],
        json_schema_extra={"unit": "neighbours"},
    )
    hubs: Annotated[str, OneOf(HUBS)] = Field(
        "none",
        description=f"which of its nearest candidates an image gets as partners. {listed(HUBS)}",
        examples=["csls"],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for low, high in (("min_cosine", "max_cosine"), ("min_quantile", "max_quantile")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ValueError(f"{low} {least} is above {high} {most}")
        for name in ("mutual", "candidates" if "candidates" in HUBS[self.hubs].uses else "mutual"):
            value = getattr(self, name)
            if value is not None and value < self.k:
                raise ValueError(f"{name} {value} is below k {self.k}, so no image could have {self.k} partners")
        for name, field in HubSettings.model_fields.items():
            if name not in HUBS[self.hubs].uses and getattr(self, name) != field.default:
                raise ValueError(f"{name} has no effect with hubs {self.hubs}")
        return self

    @property
    def width(self) -> int:
        """Nearest neighbours that the search must find for each image."""
        used = [getattr(self, name) for name in HUBS[self.hubs].uses if name != "max_uses"]
        return max([self.k, self.mutual or 0, *used])


def find(inputs: PairInputs, settings: Nearest) -> "Pairs":
    """Partners by scope, then only the pairs within the thresholds."""
    import numpy as np

    from workflow_scripts.pairs.table import by_scope, keep
    from workflow_scripts.pairs.ties import identities

    ids = identities(inputs.keys["key"], settings.seed)
    pairs = by_scope(
        inputs.vectors, inputs.keys, settings.scope, settings.k, lambda rows: _within(inputs, settings, ids, rows)
    )
    if settings.min_cosine is not None:
        pairs = keep(pairs, settings.min_cosine, np.inf)
    low, high = settings.min_quantile, settings.max_quantile
    cosines = pairs.cosine[pairs.target >= 0].astype(np.float64)
    if len(cosines) and (low is not None or high is not None):
        pairs = keep(pairs, *np.quantile(cosines, [0.0 if low is None else low, 1.0 if high is None else high]))
    return pairs


def _within(inputs: PairInputs, settings: Nearest, ids: "np.ndarray", rows: "np.ndarray") -> "Pairs":
    """Pairs of one scope, before the lower threshold and quantiles."""
    import numpy as np

    from workflow_scripts.pairs import selection
    from workflow_scripts.pairs.neighbours import Rule, nearest
    from workflow_scripts.pairs.table import Pairs, without_pair

    whole = len(rows) == len(inputs.vectors)
    vectors = inputs.vectors if whole else np.ascontiguousarray(inputs.vectors[rows])
    highest = np.inf if settings.max_cosine is None else settings.max_cosine
    near = nearest(vectors, ids[rows], Rule(settings.width, highest=highest), inputs.device)
    without = {"outside_thresholds": without_pair(near.target), "not_mutual": 0}
    allowed = None
    if settings.mutual is not None:
        allowed = selection.mutual(near, settings.mutual)
        without["not_mutual"] = int((~allowed.any(axis=1)).sum()) - without["outside_thresholds"]
    near = HUBS[settings.hubs].choose(near, allowed, settings.k, settings)
    without["partners_used_up"] = without_pair(near.target) - sum(without.values())
    return Pairs(near.target, near.cosine, without)


PAIR_KIND = PairKind(name="nearest", summary="the nearest neighbours", settings=Nearest, needs_labels=False, find=find)
