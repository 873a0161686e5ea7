"""Settings of the report stage."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from workflow_scripts.core.settings import Settings

# In the order of their names, since keys do not depend on the order and neither may the page.
Values = Annotated[dict[str, Any], AfterValidator(lambda values: dict(sorted(values.items())))]
Names = Annotated[dict[str, str], AfterValidator(lambda names: dict(sorted(names.items())))]


class Acceptance(Settings):
    """A code edit that was accepted, so that existing results were kept."""

    stage: str
    """Its stage."""
    code: str
    """Digest of the edited code."""
    counts_as: str
    """Digest of the code that computed the artifacts."""
    reason: str
    """Why results do not change, in the words of who accepted it."""
    when: str
    """Time, in UTC."""


class TrainedRuns(Settings):
    """The seeds of one arm of the study: runs that differ in nothing else."""

    method: str
    """Method of pretraining."""
    pairs: str
    """Pair table, or what else the pairs are."""
    augmentation: str
    """Augmentation of the views."""
    tag: str = Field(default="")
    """Tag of the run, if it has one."""
    seeds: tuple[int, ...]
    """Their seeds."""
    settings: Values = Field(default={})
    """Settings that are others in other runs, as one level."""


class Methods(Settings):
    """What the config says of how results were computed, for the section on methods."""

    synthetic: bool = Field(default=False)
    """Whether the images are the demo's."""
    redcaps: bool = Field(default=False)
    """Whether the annotations are RedCaps'."""
    image_side: int = Field(default=0)
    """Longer side of stored images, at most, in pixels; 0: unknown."""
    captions: Values = Field(default={})
    """Settings of recaptioning, as one level."""
    arms: Names = Field(default={})
    """What each arm of captions is."""
    pairs: Names = Field(default={})
    """What each pair table is."""
    training: Values = Field(default={})
    """Settings on which the trained runs agree, as one level."""
    runs: tuple[TrainedRuns, ...] = Field(default=())
    """The trained runs; seeds together."""
    augmentations: Names = Field(default={})
    """What each augmentation of a trained run is."""
    references: dict[str, tuple[int, ...]] = Field(default={})
    """Method -> seeds of its runs, which do not train."""
    models: Names = Field(default={})
    """Name of the source -> public location of the model; empty for files at hand."""
    datasets: Names = Field(default={})
    """Downstream set -> its name in the registry; empty for sets that are not public."""
    evaluation: Values = Field(default={})
    """Settings of the evaluations, as one level."""


class Term(Settings):
    """What a term of a contrast fixes of runs, pair tables or arms; None: any."""

    weight: float
    """Factor of the mean score."""
    method: str | None = None
    """Method."""
    pairs: str | None = None
    """Pairs."""
    augmentation: str | None = None
    """Augmentation."""
    tag: str | None = None
    """Tag."""
    arm: str | None = None
    """Arm of the captions."""
    encoder: str | None = None
    """Encoder of the vectors behind the pairs."""
    step: str | None = None
    """Checkpoint."""


class Asked(Settings):
    """A listed contrast, as the page words it."""

    name: str
    """Its name."""
    test: str = "difference"
    """Difference, slope or equivalence."""
    endpoint: str = "linear_probe"
    """What a verdict rests on."""
    margin: float | None = None
    """Of an equivalence, in points or the unit of the score."""
    judge: str | None = None
    """Judge that scores captions."""
    terms: tuple[Term, ...] = ()
    """What is added and subtracted."""


class Swept(Settings):
    """A point of a sweep."""

    tag: str = ""
    """Tag of the item of runs."""
    values: dict[str, Any]
    """Values of the settings that are varied."""


class Report(Settings):
    """Everything that the page depends on besides its inputs."""

    study: str = Field(min_length=1)
    """Name of the study, in the title."""
    headline_step: str = Field(default="last")
    """Checkpoint shown in the headline and the overlays."""
    captions_of: dict[str, str] = Field(default={})
    """Arm behind each pair table, where their names differ."""
    roles: dict[str, str] = Field(default={})
    """Role of the pairs of runs, such as language, self, oracle."""
    contrasts: tuple[Asked, ...] = Field(default=())
    """The listed contrasts."""
    sweeps: dict[str, Swept] = Field(default={})
    """Runs that are points of a sweep."""
    levels: dict[str, float] = Field(default={})
    """Confidence level of the intervals of each stage."""
    methods: Methods = Field(default=Methods())
    """How results were computed."""
    groups: Literal["subreddit", "group"] = Field(default="group")
    """What the images' groups are called."""
    accepted: tuple[Acceptance, ...] = Field(default=())
    """Accepted code edits."""
