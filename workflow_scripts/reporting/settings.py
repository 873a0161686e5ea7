"""Settings of the report stage."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Acceptance(Settings):
    """A code edit that was accepted, so that existing results were kept."""

    stage: str = Field(description="its stage")
    code: str = Field(description="digest of the edited code")
    counts_as: str = Field(description="digest of the code that computed the artifacts")
    reason: str = Field(description="why results do not change, in the words of who accepted it")
    when: str = Field(description="time, in UTC")


class Report(Settings):
    """Everything that the page depends on besides its inputs."""

    study: str = Field(min_length=1, description="name of the study, in the title")
    headline_step: str = Field(default="last", description="checkpoint shown in the headline and the overlays")
    captions_of: dict[str, str] = Field(default={}, description="arm behind each pair table, where their names differ")
    levels: dict[str, float] = Field(default={}, description="confidence level of the intervals of each stage")
    groups: Literal["subreddit", "group"] = Field(default="group", description="what the images' groups are called")
    accepted: tuple[Acceptance, ...] = Field(default=(), description="accepted code edits")
