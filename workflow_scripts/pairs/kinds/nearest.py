"""The nearest neighbours, with optional corrections for hubs and thresholds."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.core.settings import quantity, refuse_changed
from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, Pairs, PartnerSettings

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.pairs.neighbours import Near


class Nearest(PartnerSettings):
    """Which nearest neighbours form pairs."""

    min_cosine: float | None = quantity(None, unit="cosine", ge=-1, le=1, examples=[0.5])
    """Pairs that are less similar are dropped; null: no limit."""
    max_cosine: float | None = quantity(None, unit="cosine", ge=-1, le=1, examples=[0.999])
    """More similar neighbours are skipped, such as repeated captions at 0.999; null: no limit."""
    index: str = Field("Flat", examples=["IVF1024,Flat", "HNSW32", "PQ64x4fs"])
    """Index of FAISS in which neighbours are searched, as its factory reads it. Flat: an exact search. Others are
    faster, and miss some neighbours; the share that they find is measured. Scopes of fewer than 16,384 distinct
    captions or images are searched exactly."""
    index_parameters: str = Field("", examples=["nprobe=64"])
    """Parameters of the search in an index other than Flat, as FAISS's ParameterSpace reads them; empty: FAISS's
    defaults."""
    recall_sample: int = quantity(2000, unit="images", ge=1, examples=[500])
    """Images whose exact neighbours are searched too, to measure what an index finds."""
    hubs: Literal["none", "cap"] = Field("none", examples=["cap"])
    """Which of its nearest candidates an image gets as partners. none: the nearest; cap: the nearest that is not yet a
    partner of max_uses images, the most similar pairs first."""
    candidates: int = quantity(20, unit="neighbours", ge=1, examples=[50])
    """Nearest images among which cap chooses."""
    max_uses: int = quantity(2, unit="images", ge=1, examples=[1])
    """Most images that cap lets share a partner."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_cosine is not None and self.max_cosine is not None and self.min_cosine > self.max_cosine:
            raise ValueError(f"min_cosine {self.min_cosine} is above max_cosine {self.max_cosine}")
        if self.hubs == "cap" and self.candidates < self.k:
            value = f"candidates {self.candidates} is below k {self.k}"
            raise ValueError(f"{value}, so no image could have {self.k} partners")
        if self.index == "Flat":
            refuse_changed(self, ("index_parameters", "recall_sample"), "with index Flat")
        if self.hubs == "none":
            refuse_changed(self, ("candidates", "max_uses"), "with hubs none")
        return self


def find(inputs: PairInputs, settings: Nearest) -> Pairs:
    """Partners by scope, then only the pairs within the thresholds."""
    from workflow_scripts.pairs.table import by_scope, keep
    from workflow_scripts.pairs.ties import identities

    ids = identities(inputs.keys["key"], settings.seed)
    pairs = by_scope(inputs, settings, lambda rows: _within(inputs, settings, ids, rows))
    if settings.min_cosine is None:
        return pairs
    return keep(pairs, pairs.cosine >= settings.min_cosine, "outside_thresholds")


def _within(inputs: PairInputs, settings: Nearest, ids: "np.ndarray", rows: "np.ndarray") -> Pairs:
    """Pairs of one scope, before the lower threshold."""
    import numpy as np

    from workflow_scripts.pairs.neighbours import How, Rule, nearest
    from workflow_scripts.pairs.search.index import Index
    from workflow_scripts.pairs.selection import capped
    from workflow_scripts.pairs.table import without_pair

    vectors = inputs.vectors if len(rows) == len(inputs.vectors) else np.ascontiguousarray(inputs.vectors[rows])
    width = settings.candidates if settings.hubs == "cap" else settings.k
    rule = Rule(width, np.inf if settings.max_cosine is None else settings.max_cosine)
    how = How(inputs.device, inputs.workers, Index(settings.index, settings.index_parameters, settings.seed))
    near, recall = nearest(vectors, ids[rows], rule, how), (0, 0, 0)
    sampled = _sampled(settings, rows, len(inputs.keys))
    if len(sampled):
        recall = _recall(near, nearest(vectors, near.ids, rule, how, sampled), sampled)
    outside = without_pair(near.target)
    if settings.hubs == "cap":
        near = capped(near, settings.k, settings.max_uses)
    without = {"outside_thresholds": outside, "partners_used_up": without_pair(near.target) - outside}
    return Pairs(near.target, near.cosine, without, recall)


def _sampled(settings: Nearest, rows: "np.ndarray", images: int) -> "np.ndarray":
    """The places in ``rows`` of the images for which recall is measured: none for an exact search."""
    import numpy as np

    from workflow_scripts.stats.seeds import derive

    number = 0 if settings.index == "Flat" else min(images, settings.recall_sample)
    random = np.random.Generator(np.random.PCG64(derive(settings.seed, "recall")))
    return np.flatnonzero(np.isin(rows, random.choice(images, number, replace=False)))


def _recall(near: "Near", exact: "Near", sampled: "np.ndarray") -> tuple[int, int, int]:
    """Exact neighbours of the sampled rows: those that ``near`` has, all, and the rows that have any."""
    import numpy as np

    real = exact.target[sampled] >= 0
    least = np.where(real, exact.cosine[sampled], np.inf).min(axis=1, keepdims=True)  # of the k-th neighbour
    hits = ((near.target[sampled] >= 0) & (near.cosine[sampled] >= least)).sum(axis=1)
    return int(np.minimum(hits, real.sum(axis=1)).sum()), int(real.sum()), int(real.any(axis=1).sum())


PAIR_KIND = PairKind(
    name="nearest",
    summary="the nearest neighbours",
    settings=Nearest,
    find=find,
)
