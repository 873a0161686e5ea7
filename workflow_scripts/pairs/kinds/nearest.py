"""The nearest neighbours, with optional corrections for hubs and thresholds."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.pairs.hubs import HUBS, HubSettings
from workflow_scripts.pairs.pair_kind import Found, PairInputs, PairKind, PartnerSettings

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.core.declaration.parts import Part
    from workflow_scripts.pairs.neighbours import Near
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


def search(inputs: PairInputs, settings: Nearest, part: "Part") -> Found:
    """The nearest neighbours of a part of the images of each scope."""
    import numpy as np

    from workflow_scripts.pairs.neighbours import rows_of_part
    from workflow_scripts.pairs.table import has_meaning, scope_pools
    from workflow_scripts.pairs.ties import identities

    ids = identities(inputs.keys["key"], settings.seed)
    shape = (len(ids), settings.width)
    found = Found(np.zeros(len(ids), bool), np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32))
    for rows in scope_pools(inputs.keys, settings.scope, has_meaning(inputs.vectors)):
        near = _near(inputs, settings, ids, rows, part)
        asked = rows_of_part(near, part)
        found.asked[rows[asked]] = True
        target = near.target[asked]
        found.target[rows[asked]] = np.where(target >= 0, rows[target], -1)
        found.cosine[rows[asked]] = near.cosine[asked]
    return found


def _within(inputs: PairInputs, settings: Nearest, ids: "np.ndarray", rows: "np.ndarray") -> "Pairs":
    """Pairs of one scope, before the lower threshold and quantiles."""
    from workflow_scripts.core.declaration.parts import WHOLE
    from workflow_scripts.pairs import selection
    from workflow_scripts.pairs.table import Pairs, without_pair

    near = _near(inputs, settings, ids, rows, WHOLE) if inputs.found is None else _known(inputs, ids, rows)
    without = {"outside_thresholds": without_pair(near.target), "not_mutual": 0}
    allowed = None
    if settings.mutual is not None:
        allowed = selection.mutual(near, settings.mutual)
        without["not_mutual"] = int((~allowed.any(axis=1)).sum()) - without["outside_thresholds"]
    near = HUBS[settings.hubs].choose(near, allowed, settings.k, settings)
    without["partners_used_up"] = without_pair(near.target) - sum(without.values())
    return Pairs(near.target, near.cosine, without)


def _near(inputs: PairInputs, settings: Nearest, ids: "np.ndarray", rows: "np.ndarray", part: "Part") -> "Near":
    """Search the neighbours of a part of one scope's rows."""
    import numpy as np

    from workflow_scripts.pairs.neighbours import How, Rule, nearest

    highest = np.inf if settings.max_cosine is None else settings.max_cosine
    how = How(inputs.device, inputs.workers, part)
    return nearest(_vectors(inputs, rows), ids[rows], Rule(settings.width, highest=highest), how)


def _known(inputs: PairInputs, ids: "np.ndarray", rows: "np.ndarray") -> "Near":
    """The neighbours of one scope's rows as other jobs have found them."""
    import numpy as np

    from workflow_scripts.pairs.dedup import group_equal
    from workflow_scripts.pairs.neighbours import Near

    found = inputs.found
    assert found is not None
    target = found.target[rows]
    target = np.where(target >= 0, np.searchsorted(rows, target), -1).astype(np.int32)
    return Near(target, found.cosine[rows], group_equal(_vectors(inputs, rows)).group, ids[rows])


def _vectors(inputs: PairInputs, rows: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return inputs.vectors if len(rows) == len(inputs.vectors) else np.ascontiguousarray(inputs.vectors[rows])


PAIR_KIND = PairKind(
    name="nearest",
    summary="the nearest neighbours",
    settings=Nearest,
    needs_labels=False,
    find=find,
    search=search,
)
