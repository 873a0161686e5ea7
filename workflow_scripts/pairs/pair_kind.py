"""The declaration of a kind of pairs, and the scopes in which all kinds choose partners."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from workflow_scripts.core.registry import OneOf
from workflow_scripts.core.settings import Settings, quantity

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


SCOPES: dict[str, tuple[str, ...]] = {
    "global": (),
    "subreddit": ("subreddit",),
    "year": ("year",),
    "subreddit_year": ("subreddit", "year"),
}
"""By division of the images: columns of their keys that neighbours share."""


class PartnerSettings(Settings):
    """Settings of all kinds of pairs."""

    k: int = quantity(1, unit="partners", ge=1, examples=[5])
    """Partners per image; the paper uses 1."""
    scope: Annotated[str, OneOf(SCOPES)] = Field("global", examples=["year"])
    """Images among which the partners of an image are chosen. global: all images; subreddit: images of the same
    subreddit; year: images of the same year; subreddit_year: images of the same subreddit and year."""
    seed: int = Field(0, examples=[1])
    """Seed of the choice among equally good partners and of random partners."""
    drop_same_picture: bool = Field(False, examples=[True])
    """true: pairs of images that show the same picture, such as crossposts, are dropped. They are recognised by
    perceptual hashes, as test images among the training images are."""


@dataclass(frozen=True)
class PairInputs:
    """Inputs of a pair table of n images.

    Attributes:
        vectors: (n, d) float32 unit rows; a row of zeros (an empty caption) forms no pairs.
        keys: key, subreddit, year of the images.
        label: (n,) int64 codes of the images' labels, -1 where unknown; None for kinds that need no labels.
        device: ``cuda`` to search on a GPU.
        workers: threads; they change nothing.
        day: (n,) int64 day of each post, in UTC, -1 where unknown; None for kinds that need no days.
    """

    vectors: "np.ndarray"
    keys: "pa.Table"
    label: "np.ndarray | None"
    device: str
    workers: int = 1
    day: "np.ndarray | None" = None


@dataclass(frozen=True)
class Pairs:
    """Pairs of n images.

    Attributes:
        target: (n, k) int32 rows, best first; -1 in the last places of an image that has fewer.
        cosine: (n, k) float32; without meaning where ``target`` is -1.
        without: number of images without a pair, by reason.
        recall: of a sample's nearest neighbours, how many an index found, how many there are, and of how many images;
            zeros for an exact search.
    """

    target: "np.ndarray"
    cosine: "np.ndarray"
    without: dict[str, int]
    recall: tuple[int, ...] = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class PairKind:
    """A way to choose the partners of images.

    Attributes:
        name: the setting ``kind`` of a pair table.
        summary: one phrase.
        settings: class of the kind's settings, which are keys of the pair table in a config. Kinds may share a setting
            if they define it identically.
        find: (inputs, settings) -> pairs.
        needs_labels: it reads ground-truth labels, which only a study with ``demo_world`` has.
        needs_days: it reads when the images were posted.
    """

    name: str
    summary: str
    find: "Callable[[PairInputs, Any], Pairs]"
    settings: type[PartnerSettings] = PartnerSettings
    needs_labels: bool = False
    needs_days: bool = False
