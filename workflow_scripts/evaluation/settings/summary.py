"""Settings of the summary: the study's runs and the contrasts between them."""

from pydantic import Field

from workflow_scripts.core.settings import Settings


class SummaryRun(Settings):
    """One run as the summary names it."""

    run: str = Field(description="its name")
    method: str
    pairs: str
    augmentation: str
    seed: int
    steps: tuple[str, ...] = Field(description="its evaluated checkpoints: last, best, step-000200")
    backbone: str = Field("", description="runs of different backbones are never contrasted with each other")


class Contrast(Settings):
    """Runs with pairs ``minuend`` less runs with pairs ``subtrahend``, within a method."""

    name: str = Field(min_length=1)
    minuend: str
    subtrahend: str


class Summary(Settings):
    """The standard contrasts are always made where the study has their runs."""

    runs: tuple[SummaryRun, ...] = Field(min_length=1)
    contrasts: tuple[Contrast, ...] = Field((), description="contrasts in addition to the standard ones")
    bootstrap: int = Field(2000, ge=100, description="resamples behind the item-level intervals")
    level: float = Field(0.95, gt=0, lt=1, description="confidence level")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")


STANDARD = (
    # In the paper language pairs are pairs of the original captions.
    Contrast(name="language - self", minuend="original", subtrahend="self"),
    Contrast(name="revised - original", minuend="revised", subtrahend="original"),
    Contrast(name="original - shuffled", minuend="original", subtrahend="shuffled"),
    Contrast(name="generated - original", minuend="generated", subtrahend="original"),
)
