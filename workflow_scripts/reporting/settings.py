"""Settings of the report stage."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Acceptance(Settings):
    """A code edit that a person vouched for, so that nothing was computed again for it."""

    stage: str
    code: str = Field(description="digest of the edited code")
    counts_as: str = Field(description="digest of the code that the artifacts were made by")
    reason: str
    when: str = Field(description="time, in UTC")


class Report(Settings):
    """What the page shows, and how much of it."""

    study: str = Field(min_length=1, description="name of the study, in the page's title")
    seed: int = Field(default=0, description="seed of the choice of examples")
    headline_step: str = Field(default="last", description="checkpoint step of the headline and of the overlays")
    sample: int = Field(default=20_000, gt=0, description="rows that examples are chosen from")
    captions_each: int = Field(default=4, gt=0, description="caption examples per stratum (worst, typical, best)")
    pair_sources: int = Field(default=6, gt=0, description="source images whose pairs are shown")
    captions_of: dict[str, str] = Field(
        default={}, description="pair table -> caption arm that made it, where their names differ"
    )
    saliency_images: int = Field(default=6, gt=0, description="images with Grad-CAM overlays")
    thumbnail: int = Field(default=160, ge=16, le=160, description="longer side of a thumbnail, in pixels")
    overlay: int = Field(default=112, ge=16, le=160, description="longer side of an overlay, in pixels")
    accepted: tuple[Acceptance, ...] = Field(default=(), description="code edits that were accepted as they are")
    figure_width: int = Field(default=1100, ge=200, description="largest width of a stored figure, in pixels")
