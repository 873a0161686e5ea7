"""Settings that stages with intervals share."""

from pydantic import Field

from workflow_scripts.core.settings import Settings, quantity


class Intervals(Settings):
    """Intervals of one confidence level."""

    level: float = Field(0.95, gt=0, lt=1, examples=[0.99])
    """Confidence level of the intervals."""


class Bootstrap(Intervals):
    """Intervals by a bootstrap of test images."""

    resamples: int = quantity(2000, unit="resamples", ge=100, examples=[1000])
    """Bootstrap resamples behind intervals."""
