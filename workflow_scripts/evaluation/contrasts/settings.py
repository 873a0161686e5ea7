"""What is contrasted: the runs of a study, and pairs of their training pairs."""

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


STANDARD = (
    # In the paper language pairs are pairs of the original captions.
    Contrast(name="language - self", minuend="original", subtrahend="self"),
    Contrast(name="revised - original", minuend="revised", subtrahend="original"),
    Contrast(name="original - shuffled", minuend="original", subtrahend="shuffled"),
    Contrast(name="generated - original", minuend="generated", subtrahend="original"),
)
