"""Rules against hubs, one row each: which of its nearest candidates an image gets as partners.

Imported with every config, so the computations are imported inside the functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_scripts.core.registry import by_name
from workflow_scripts.core.settings import Settings, quantity

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.pairs.neighbours import Near


class HubSettings(Settings):
    """Settings of the rules against hubs."""

    candidates: int = quantity(
        20, unit="neighbours", ge=1, description="nearest images among which csls and cap choose", examples=[50]
    )
    hub_neighbours: int = quantity(
        10, unit="neighbours", ge=1, description="nearest images whose similarity csls corrects for", examples=[7]
    )
    max_uses: int = quantity(
        2, unit="images", ge=1, description="most images that cap lets share a partner", examples=[1]
    )


@dataclass(frozen=True, kw_only=True)
class HubRule:
    """A rule against hubs.

    Attributes:
        name: the setting ``hubs``.
        summary: one phrase.
        uses: the settings of :class:`HubSettings` that it has.
        choose: (neighbours (n, w), which may be chosen (n, w) bool or None: all, k, settings) -> partners (n, k), best
            first.
    """

    name: str
    summary: str
    uses: tuple[str, ...]
    choose: "Callable[[Near, np.ndarray | None, int, HubSettings], Near]"


def _none(near: "Near", allowed: "np.ndarray | None", k: int, _: HubSettings) -> "Near":
    from workflow_scripts.pairs.selection import first, only

    return first(only(near, allowed), k)


def _csls(near: "Near", allowed: "np.ndarray | None", k: int, settings: HubSettings) -> "Near":
    from workflow_scripts.pairs.selection import by_score, csls

    return by_score(near, allowed, csls(near, settings.hub_neighbours), settings.candidates, k)


def _cap(near: "Near", allowed: "np.ndarray | None", k: int, settings: HubSettings) -> "Near":
    from workflow_scripts.pairs.selection import capped, first, only

    return capped(first(only(near, allowed), settings.candidates), k, settings.max_uses)


HUBS = by_name(
    [
        HubRule(name="none", summary="the nearest", uses=(), choose=_none),
        HubRule(
            name="csls",
            summary="those nearer than the candidate's own neighbours are on average (Conneau et al. 2018)",
            uses=("candidates", "hub_neighbours"),
            choose=_csls,
        ),
        HubRule(
            name="cap",
            summary="the nearest that is not yet a partner of max_uses images, the most similar pairs first",
            uses=("candidates", "max_uses"),
            choose=_cap,
        ),
    ]
)
