"""Settings of the rule by which a metric tells models apart, which was written before any result."""

from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import Field, field_validator

from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.interval_settings import Intervals

LEAST_MODELS = 4
LEAST_LEVELS = 3
"""Known levels: evaluated steps of a training, shares of faithful captions, or networks of stated orderings. Between
two extremes, any metric that notices training succeeds."""
LEAST_ICC = 0.5
"""Share of the variance of a run's score that is due to its model; its interval must lie above or below it."""
LEAST_RECOVERED = 0.9
"""Share of known orderings that a metric must recover."""


class Ordering(Settings):
    """Two networks of which one is known to be better."""

    lower: str = Field(examples=["lite0-random"])
    """Name of the worse network or backbone."""
    higher: str = Field(examples=["lite0"])
    """Name of the better one."""


class Discrimination(Intervals):
    """What is known of a study's models, by which metrics are judged; fixed before results are seen."""

    doses: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field({}, examples=[{"half": 0.5}])
    """Share of faithful captions by pair table, where it is known; those of mixed arms are filled in."""
    orderings: tuple[Ordering, ...] = Field((), examples=[[{"lower": "resnet50", "higher": "clip-b16"}]])
    """Further known orderings of networks or backbones, compared at the last step of their runs."""

    @field_validator("orderings")
    @classmethod
    def _no_cycle(cls, orderings: tuple[Ordering, ...]) -> tuple[Ordering, ...]:
        below: dict[str, set[str]] = {}
        for one in orderings:
            below.setdefault(one.higher, set()).add(one.lower)
        try:
            TopologicalSorter(below).prepare()
        except CycleError as error:
            raise ValueError(f"they contradict each other: {' < '.join(error.args[1])}") from None
        return orderings

    @property
    def stated(self) -> list[tuple[str, str]]:
        """The further orderings as pairs (lower, higher)."""
        return [(one.lower, one.higher) for one in self.orderings]
