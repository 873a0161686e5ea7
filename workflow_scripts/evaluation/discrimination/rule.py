"""The verdict on whether a metric tells models apart, by a rule that was written before any result."""

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, field_validator

from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.interval_settings import Intervals

if TYPE_CHECKING:  # read with every config, which needs no SciPy
    from workflow_scripts.evaluation.discrimination.agreement import Gain
    from workflow_scripts.evaluation.discrimination.variance import Components

YES, NO, OPEN = "tells models apart", "does not tell models apart", "inconclusive"


class Ordering(Settings):
    """Two networks of which one is known to be better."""

    lower: str = Field(description="name of the worse network or backbone", examples=["lite0-random"])
    higher: str = Field(description="name of the better one", examples=["lite0"])


class Discrimination(Intervals):
    """When a metric counts as telling models apart; fixed before results are seen."""

    least_models: int = Field(
        4,
        ge=3,
        description="fewest models for a verdict",
        examples=[5],
        json_schema_extra={"unit": "models"},
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


class Finding(NamedTuple):
    """A verdict, why, and whether the metric says more than the probe; None where there is nothing to compare."""

    verdict: str
    reason: str
    beyond_probe: str | None


def finding(found: "Components", models: int, share: float, gain: "Gain | None", rule: Discrimination) -> Finding:
    """The verdict on one metric; docs/saliency.md states the rule in words.

    Args:
        models: compared.
        share: of known orderings that the metric recovers; nan without any.
        gain: of the metric beyond the probe; None of the probe itself.
    """
    beyond = None
    if gain is not None:
        beyond = "not shown"
        if gain.p < 1 - rule.level:
            beyond = "yes" if gain.slope > 0 else "in the wrong direction"
    verdict, reason = _verdict(found, models, share, rule)
    return Finding(verdict, reason, beyond)


def _verdict(found: "Components", models: int, share: float, rule: Discrimination) -> tuple[str, str]:
    if models < rule.least_models:
        return OPEN, f"{models} models; {rule.least_models} are required"
    if not found.icc >= 0:
        return OPEN, "no model has several seeds"
    if not share >= 0:
        return OPEN, "no order of runs is known"
    if found.low > rule.least_icc and share >= rule.least_recovered:
        return YES, ""
    if found.high < rule.least_icc:
        return NO, "the interval of the ICC lies below the bound"
    if found.low > rule.least_icc:
        return NO, "models differ, but not in the known order"
    return OPEN, "the interval of the ICC includes the bound"
