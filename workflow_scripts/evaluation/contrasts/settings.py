"""What is contrasted: runs of a study, and weighted sums of cells of them."""

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings

Axis = Literal["method", "pairs", "augmentation", "backbone", "arm"]
PER: tuple[Axis, ...] = ("method", "backbone")

# Settings of the study and of its summary.
Resamples = Field(
    2000,
    ge=100,
    description="bootstrap resamples behind the intervals of contrasts",
    examples=[1000],
    json_schema_extra={"unit": "resamples"},
)

StandardContrasts = Field(
    True,
    description="true: the standard contrasts of which the study has the runs are computed, in one family with those "
    "that are listed; a smaller family can show smaller effects",
    examples=[False],
)


class SummaryRun(Settings):
    """A run, as the summary names it."""

    run: str = Field(description="name of the run")
    method: str = Field(description="method of pretraining")
    pairs: str = Field(description="its pairs, as in the config")
    augmentation: str = Field(description="augmentation of its views")
    seed: int = Field(description="seed of the run")
    steps: tuple[str, ...] = Field(description="evaluated checkpoints, such as last, best, step-000200")
    backbone: str = Field("", description="its network")
    tag: str = Field("", description="its tag; empty without one")
    batch_size: int = Field(0, ge=0, description="pairs per step; 0 for an untrained network")
    trained_steps: int = Field(0, ge=0, description="planned optimizer steps; 0 if it is the config's epochs")
    epochs: float | None = Field(None, description="planned passes over its pairs; null if it is the config's steps")
    views_per_pair: int = Field(0, ge=0, description="images that are decoded and augmented per pair")
    arm: str = Field("", description="arm whose captions its pairs or its method use; empty for others")
    role: str = Field("", description="what its pairs are: language, self, visual, or a control such as shuffled")
    dose: float | None = Field(None, description="share of captions that belong to their image, of a mixed arm")
    chosen: dict[str, str] = Field(
        {}, description="evaluated checkpoints that a reported set chose -> that set, which means over sets leave out"
    )

    @property
    def budget(self) -> int:
        """Views that it is trained on: steps × pairs per step × views per pair."""
        return self.trained_steps * self.batch_size * self.views_per_pair


class Term(Settings):
    """Runs of one term of a contrast: those that match every given key; their scores are averaged for each seed."""

    weight: float = Field(description="factor of the mean score of these runs", examples=[-1])
    method: str | None = Field(None, description="method; null: any", examples=["simclr"])
    pairs: str | None = Field(None, description="pairs; null: any", examples=["revised"])
    augmentation: str | None = Field(None, description="augmentation; null: any", examples=["crop"])
    tag: str | None = Field(
        None, description="tag, empty for runs without one; null: a row for each tag", examples=["long"]
    )
    arm: str | None = Field(None, description="arm of the captions behind the pairs; null: any", examples=["original"])
    step: str | None = Field(
        None,
        description="evaluated checkpoint, such as last, best, step-000200; null: a row for each",
        examples=["last"],
    )

    def fixes(self, axis: str) -> bool:
        """Whether the term gives a value of this axis."""
        return getattr(self, axis, None) is not None

    def matches(self, run: Any) -> bool:
        """Whether a run, or anything with its attributes, belongs to the term."""
        fixed = [axis for axis in ("method", "pairs", "augmentation", "tag", "arm") if self.fixes(axis)]
        return all(getattr(run, axis) == getattr(self, axis) for axis in fixed)


class Contrast(Settings):
    """A weighted sum of mean scores, by `terms`; or runs with pairs `minuend` minus runs with pairs `subtrahend`."""

    name: str = Field(min_length=1, description="name in tables and report", examples=["revised - shuffled"])
    minuend: str | None = Field(None, description="pairs of the runs that are compared", examples=["revised"])
    subtrahend: str | None = Field(
        None, description="pairs of the runs that they are compared with", examples=["shuffled"]
    )
    terms: tuple[Term, ...] = Field(
        (),
        description="the weighted sum; weights add up to 0",
        examples=[
            [
                {"weight": 1, "pairs": "revised", "augmentation": "crop"},
                {"weight": -1, "pairs": "self", "augmentation": "simclr"},
            ]
        ],
    )
    per: tuple[Axis, ...] = Field(
        PER,
        description="properties that all terms without a value of their own share; each combination is a row",
        examples=[["method", "backbone", "augmentation"]],
    )
    expected: Literal[-1, 1] = Field(
        1, description="sign of the difference that the hypothesis predicts; verdicts refer to it", examples=[-1]
    )

    @model_validator(mode="after")
    def _one_form(self) -> "Contrast":
        sides = (self.minuend is not None) + (self.subtrahend is not None)
        if sides != (0 if self.terms else 2):
            raise ValueError("either terms, or minuend and subtrahend, are required")
        total = math.fsum(term.weight for term in self.terms)
        if abs(total) > 1e-9 or (self.terms and not any(term.weight for term in self.terms)):
            raise ValueError(f"the weights of terms add up to {total:g}; they must add up to 0, and not all be 0")
        return self

    @property
    def cells(self) -> tuple[Term, ...]:
        """The terms, also of the short form; what rounding left of the sum of weights is taken off them evenly."""
        if not self.terms:
            return Term(weight=1, pairs=self.minuend), Term(weight=-1, pairs=self.subtrahend)
        weighted = [term for term in self.terms if term.weight]
        excess = math.fsum(term.weight for term in weighted) / len(weighted)
        return tuple(
            term.model_copy(update={"weight": term.weight - excess}) if term.weight else term for term in self.terms
        )
