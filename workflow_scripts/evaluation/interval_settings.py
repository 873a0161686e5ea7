"""Settings that stages with intervals share."""

from pydantic import Field

from workflow_scripts.core.settings import Settings, quantity


class Intervals(Settings):
    """Intervals of one confidence level."""

    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the intervals", examples=[0.99])


class Bootstrap(Intervals):
    """Intervals by a bootstrap of test images."""

    resamples: int = quantity(
        2000, unit="resamples", ge=100, description="bootstrap resamples behind intervals", examples=[1000]
    )
