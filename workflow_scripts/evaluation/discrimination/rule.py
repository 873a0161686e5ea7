"""Settings of the rule by which a metric tells models apart, which was written before any result."""

from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import Field, field_validator

from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.interval_settings import Intervals


class Ordering(Settings):
    """Two networks of which one is known to be better."""

    lower: str = Field(description="name of the worse network or backbone", examples=["lite0-random"])
    higher: str = Field(description="name of the better one", examples=["lite0"])


class Discrimination(Intervals):
    """When a metric counts as telling models apart; fixed before results are seen."""

    least_models: int = Field(
        4, ge=3, description="fewest models for a verdict", examples=[5], json_schema_extra={"unit": "models"}
    )
    least_levels: int = Field(
        3,
        ge=3,
        description="fewest known levels for a verdict: evaluated steps of a training, shares of faithful captions, or "
        "networks of stated orderings. Between two extremes, any metric that notices training succeeds",
        examples=[4],
        json_schema_extra={"unit": "levels"},
    )
    least_icc: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of the variance of a run's score that is due to its model (ICC); its interval must lie "
        "above this (tells models apart) or below it (does not)",
        examples=[0.75],
    )
    least_recovered: float = Field(
        0.9, gt=0.5, le=1, description="share of known orderings that a metric must recover", examples=[0.95]
    )
    doses: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        description="share of faithful captions by pair table, where it is known; those of mixed arms are filled in",
        examples=[{"half": 0.5}],
    )
    orderings: tuple[Ordering, ...] = Field(
        (),
        description="further known orderings of networks or backbones, compared at the last step of their runs",
        examples=[[{"lower": "resnet50", "higher": "clip-b16"}]],
    )

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
