"""Settings of the report stage."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from workflow_scripts.core.settings import Settings

# In the order of their names, since keys do not depend on the order and neither may the page.
Values = Annotated[dict[str, Any], AfterValidator(lambda values: dict(sorted(values.items())))]
Names = Annotated[dict[str, str], AfterValidator(lambda names: dict(sorted(names.items())))]


class Acceptance(Settings):
    """A code edit that was accepted, so that existing results were kept."""

    stage: str = Field(description="its stage")
    code: str = Field(description="digest of the edited code")
    counts_as: str = Field(description="digest of the code that computed the artifacts")
    reason: str = Field(description="why results do not change, in the words of who accepted it")
    when: str = Field(description="time, in UTC")


class TrainedRuns(Settings):
    """The seeds of one arm of the study: runs that differ in nothing else."""

    method: str = Field(description="method of pretraining")
    pairs: str = Field(description="pair table, or what else the pairs are")
    augmentation: str = Field(description="augmentation of the views")
    tag: str = Field(default="", description="tag of the run, if it has one")
    seeds: tuple[int, ...] = Field(description="their seeds")
    settings: Values = Field(default={}, description="settings that are others in other runs, as one level")


class Methods(Settings):
    """What the config says of how results were computed, for the section on methods."""

    synthetic: bool = Field(default=False, description="whether the images are the demo's")
    redcaps: bool = Field(default=False, description="whether the annotations are RedCaps'")
    image_side: int = Field(default=0, description="longer side of stored images, at most, in pixels; 0: unknown")
    captions: Values = Field(default={}, description="settings of recaptioning, as one level")
    arms: Names = Field(default={}, description="what each arm of captions is")
    pairs: Names = Field(default={}, description="what each pair table is")
    training: Values = Field(default={}, description="settings on which the trained runs agree, as one level")
    runs: tuple[TrainedRuns, ...] = Field(default=(), description="the trained runs; seeds together")
    references: tuple[str, ...] = Field(default=(), description="methods of runs that do not train")
    models: Names = Field(
        default={}, description="name of the source -> public location of the model; empty for files at hand"
    )
    datasets: Names = Field(
        default={}, description="downstream set -> its name in the registry; empty for sets that are not public"
    )
    evaluation: Values = Field(default={}, description="settings of the evaluations, as one level")


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
    methods: Methods = Field(default=Methods(), description="how results were computed")
    groups: Literal["subreddit", "group"] = Field(default="group", description="what the images' groups are called")
    accepted: tuple[Acceptance, ...] = Field(default=(), description="accepted code edits")
