"""What is contrasted: the runs of a study, and pairs of their training pairs."""

from pydantic import Field

from workflow_scripts.core.settings import Settings

# The setting of the study and of its summary.
Resamples = Field(
    2000,
    ge=100,
    description="bootstrap resamples behind the intervals of contrasts",
    examples=[1000],
    json_schema_extra={"unit": "resamples"},
)


class SummaryRun(Settings):
    """A run, as the summary names it."""

    run: str = Field(description="name of the run")
    method: str = Field(description="method of pretraining")
    pairs: str = Field(description="its pairs, as in the config")
    augmentation: str = Field(description="augmentation of its views")
    seed: int = Field(description="seed of the run")
    steps: tuple[str, ...] = Field(description="evaluated checkpoints, such as last, best, step-000200")
    backbone: str = Field("", description="its network; runs with different backbones are not compared")
    tag: str = Field("", description="its tag; empty without one")
    batch_size: int = Field(0, ge=0, description="pairs per step; 0 for an untrained network")
    trained_steps: int = Field(0, ge=0, description="optimizer steps of its training")
    views_per_pair: int = Field(0, ge=0, description="images that are decoded and augmented per pair")

    @property
    def budget(self) -> int:
        """Views that it is trained on: steps × pairs per step × views per pair."""
        return self.trained_steps * self.batch_size * self.views_per_pair


class Contrast(Settings):
    """Difference between runs with pairs ``minuend`` and runs with pairs ``subtrahend``, within a method."""

    name: str = Field(min_length=1, description="name in tables and report", examples=["revised - shuffled"])
    minuend: str = Field(description="pairs of the runs that are compared", examples=["revised"])
    subtrahend: str = Field(description="pairs of the runs that they are compared with", examples=["shuffled"])


STANDARD = (
    # In the paper language pairs are pairs of the original captions.
    Contrast(name="language - self", minuend="original", subtrahend="self"),
    Contrast(name="revised - original", minuend="revised", subtrahend="original"),
    Contrast(name="original - shuffled", minuend="original", subtrahend="shuffled"),
    Contrast(name="generated - original", minuend="generated", subtrahend="original"),
)
