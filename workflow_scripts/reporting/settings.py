"""Settings of the report stage."""

from typing import Any

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Acceptance(Settings):
    """A code edit that was accepted, so that existing results were kept."""

    stage: str = Field(description="its stage")
    code: str = Field(description="digest of the edited code")
    counts_as: str = Field(description="digest of the code that computed the artifacts")
    reason: str = Field(description="why results do not change, in the words of who accepted it")
    when: str = Field(description="time, in UTC")


class Term(Settings):
    """What a term of a contrast fixes of runs, pair tables or arms; None: any."""

    weight: float = Field(description="factor of the mean score")
    method: str | None = Field(None, description="method")
    pairs: str | None = Field(None, description="pairs")
    augmentation: str | None = Field(None, description="augmentation")
    tag: str | None = Field(None, description="tag")
    arm: str | None = Field(None, description="arm of the captions")
    encoder: str | None = Field(None, description="encoder of the vectors behind the pairs")
    step: str | None = Field(None, description="checkpoint")


class Asked(Settings):
    """A listed contrast, as the page words it."""

    name: str = Field(description="its name")
    test: str = Field("difference", description="difference, slope or equivalence")
    endpoint: str = Field("linear_probe", description="what a verdict rests on")
    margin: float | None = Field(None, description="of an equivalence, in points or the unit of the score")
    judge: str | None = Field(None, description="judge that scores captions")
    terms: tuple[Term, ...] = Field((), description="what is added and subtracted")


class Swept(Settings):
    """A point of a sweep."""

    tag: str = Field("", description="tag of the item of runs")
    values: dict[str, Any] = Field(description="values of the settings that are varied")


class Report(Settings):
    """Everything that the page depends on besides its inputs."""

    study: str = Field(min_length=1, description="name of the study, in the title")
    headline_step: str = Field(default="last", description="checkpoint shown in the headline and the overlays")
    captions_of: dict[str, str] = Field(default={}, description="arm behind each pair table, where their names differ")
    roles: dict[str, str] = Field(default={}, description="role of the pairs of runs, such as language, self, oracle")
    contrasts: tuple[Asked, ...] = Field(default=(), description="the listed contrasts")
    sweeps: dict[str, Swept] = Field(default={}, description="runs that are points of a sweep")
    levels: dict[str, float] = Field(default={}, description="confidence level of the intervals of each stage")
    accepted: tuple[Acceptance, ...] = Field(default=(), description="accepted code edits")
