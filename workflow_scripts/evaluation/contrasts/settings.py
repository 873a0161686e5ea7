"""What is contrasted: runs of a study, and weighted sums of cells of them."""

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings, quantity

Axis = Literal["method", "pairs", "augmentation", "backbone", "arm"]
PER: tuple[Axis, ...] = ("method", "augmentation", "backbone")
Budget = Literal["views", "images", "steps"]
MOST_PRIMARY = 3
OF_RUNS = ("method", "pairs", "augmentation", "tag", "arm")
"""What terms can fix of runs."""
TERMS_OF = {"pair_purity": ("pairs", "arm", "encoder"), "caption_score": ("arm",), "flips": ("arm",), "orderings": ()}
"""What terms can fix, of endpoints that are not accuracies of runs."""
BY_JUDGE = ("caption_score", "flips")
"""Endpoints that are figures of a judge."""

# Settings of the study and of its summary.
Resamples = quantity(
    2000,
    unit="resamples",
    ge=100,
    le=1_000_000,
    description="bootstrap resamples behind the intervals of contrasts",
    examples=[1000],
)

StandardContrasts = Field(
    True,
    description="true: the standard contrasts of which the study has the runs are computed too; they get no verdict",
    examples=[False],
)


class SummaryRun(Settings):
    """A run, as the summary names it."""

    run: str
    """Name of the run."""
    method: str
    """Method of pretraining."""
    pairs: str
    """Its pairs, as in the config."""
    augmentation: str
    """Augmentation of its views."""
    seed: int
    """Seed of the run."""
    steps: tuple[str, ...]
    """Evaluated checkpoints, such as last, best, step-000200."""
    backbone: str = ""
    """Its network."""
    tag: str = ""
    """Its tag; empty without one."""
    batch_size: int = Field(0, ge=0)
    """Pairs per step; 0 for an untrained network."""
    trained_steps: int = Field(0, ge=0)
    """Planned optimizer steps; 0 if it is the config's epochs."""
    epochs: float | None = None
    """Planned passes over its pairs; null if it is the config's steps."""
    views_per_pair: int = Field(0, ge=0)
    """Images that are decoded and augmented per pair."""
    arm: str = ""
    """Arm whose captions its pairs or its method use; empty for others."""
    role: str = ""
    """What its pairs are: language, self, visual, or a control such as shuffled."""
    encoder: str = ""
    """Encoder of the captions by which its pairs are chosen; empty for others."""
    alike: str = ""
    """What else determines its pairs: the first pair table with the same settings, or its method if that reads
    captions; empty for controls and pairs without captions."""
    dose: float | None = None
    """Share of captions that belong to their image, of a mixed arm."""
    chosen: dict[str, str] = {}
    """Evaluated checkpoints that a reported set chose -> that set, which means over sets leave out."""
    collapsed: bool = Field(False, exclude=True)
    """Whether its features look collapsed, as training found."""

    def budget_in(self, unit: Budget) -> int:
        """What it is trained on: steps, steps × pairs per step, or these × views per pair."""
        factors = {"steps": (), "images": (self.batch_size,), "views": (self.batch_size, self.views_per_pair)}
        return math.prod((self.trained_steps, *factors[unit]))

    @property
    def kind(self) -> tuple[str, ...]:
        """What runs that differ in their seed alone have in common."""
        return self.method, self.pairs, self.augmentation, self.backbone, self.tag


class Table(Settings):
    """A pair table, as the summary names it."""

    pairs: str = ""
    """Its name."""
    arm: str = ""
    """Arm whose captions it compares; empty for images."""
    encoder: str = ""
    """Encoder of the vectors that it compares."""


class Term(Settings):
    """Runs of one term of a contrast: those that match every given key; their scores are averaged for each seed.

    Of other endpoints, pair tables or arms instead of runs.
    """

    weight: float | None = Field(None, examples=[-1])
    """Factor of the mean score of these runs."""
    at: float | None = Field(None, examples=[0.5])
    """Instead of a weight, with test slope: where these runs are on the line."""
    method: str | None = Field(None, examples=["simclr"])
    """Method; null: any."""
    pairs: str | None = Field(None, examples=["revised"])
    """Pairs; null: any."""
    augmentation: str | None = Field(None, examples=["crop"])
    """Augmentation; null: any."""
    tag: str | None = Field(None, examples=["long"])
    """Tag, empty for runs without one; null: a row for each tag."""
    arm: str | None = Field(None, examples=["original"])
    """Arm of the captions behind the pairs; null: any."""
    encoder: str | None = Field(None, examples=["mpnet"])
    """Endpoint pair_purity: encoder of the vectors behind the pairs; null: any."""
    step: str | None = Field(None, examples=["last"])
    """Evaluated checkpoint, such as last, best, step-000200; null: a row for each."""

    def fixes(self, axis: str) -> bool:
        """Whether the term gives a value of this axis."""
        return getattr(self, axis, None) is not None

    def matches(self, run: Any) -> bool:
        """Whether a run, or what else the term is of, belongs to it."""
        fixed = [axis for axis in (*OF_RUNS, "encoder") if self.fixes(axis)]
        return all(getattr(run, axis) == getattr(self, axis) for axis in fixed)


class Contrast(Settings):
    """A weighted sum of mean scores, by `terms`; or runs with pairs `minuend` minus runs with pairs `subtrahend`."""

    name: str = Field(min_length=1, examples=["revised - shuffled"])
    """Name in tables and report."""
    minuend: str | None = Field(None, examples=["revised"])
    """Pairs of the runs that are compared."""
    subtrahend: str | None = Field(None, examples=["shuffled"])
    """Pairs of the runs that they are compared with."""
    terms: tuple[Term, ...] = Field(
        (),
        examples=[
            [
                {"weight": 1, "pairs": "revised", "augmentation": "crop"},
                {"weight": -1, "pairs": "self", "augmentation": "simclr"},
            ]
        ],
    )
    """The weighted sum; weights add up to 0."""
    per: tuple[Axis, ...] | None = Field(None, examples=[["method"], []])
    """Properties with a row for each combination; the others are averaged over the values that all terms have. null:
    method, augmentation and backbone, or none for a primary contrast, which is one mean."""
    expected: Literal[-1, 1] = Field(1, examples=[-1])
    """Sign of the difference that the hypothesis predicts; verdicts refer to it."""
    primary: bool = Field(
        False,
        description="true: it gets a verdict, at the first evaluated step; so do at most "
        f"{MOST_PRIMARY} contrasts of a study",
        examples=[True],
    )
    endpoint: Literal["linear_probe", "few_shot", "knn", "pair_purity", "caption_score", "orderings", "flips"] = Field(
        "linear_probe", examples=["few_shot"]
    )
    """What a primary contrast is judged by. linear_probe, few_shot, knn: the mean over sets of this accuracy, under all
    objectives. Without runs: pair_purity (share of pairs with the same label), caption_score (mean centred score of
    captions by a judge), orderings (share of known orderings that a saliency metric recovers, minus 0.5), flips (share
    of replaced captions that centring would not replace)."""
    judge: str | None = Field(None, examples=["clip"])
    """Endpoints caption_score and flips: the judge that scores captions."""
    metric: str | None = Field(None, examples=["saliency.lafam.pixel_ap.corrected"])
    """Endpoint orderings: the saliency metric, null for the one that leads; caption_score and flips: the judge's score,
    null for its only one."""
    test: Literal["difference", "slope", "equivalence"] = Field("difference", examples=["equivalence"])
    """difference: is the weighted sum 0? slope: the same, of the least-squares slope over the terms' `at`. equivalence:
    is its size below `margin`?"""
    margin: float | None = quantity(None, unit="percentage points", gt=0, examples=[1.0])
    """Test equivalence: the smallest difference that would matter; of endpoint caption_score in units of the score."""
    compare_at: Budget = Field("views", examples=["images"])
    """Budget that runs must have in common: steps × pairs per step × views per pair, the same without views per pair
    (images), or steps."""
    varies: tuple[Literal["budget", "batch_size", "backbone"], ...] = Field((), examples=[["budget"]])
    """In what runs may differ, since it is what is compared."""

    @model_validator(mode="after")
    def _fits_endpoint(self) -> "Contrast":
        own = TERMS_OF.get(self.endpoint, OF_RUNS)
        for term in self.terms:
            unfit = [axis for axis in (*OF_RUNS, "encoder") if term.fixes(axis) and axis not in own]
            if unfit or (term.step is not None and not self.of_runs):
                raise ValueError(f"terms of endpoint {self.endpoint} can't have {', '.join(unfit) or 'step'}")
        if (self.judge is not None) != (self.endpoint in BY_JUDGE):
            raise ValueError(f"endpoints {' and '.join(BY_JUDGE)} need a judge, and only they have one")
        if self.metric is not None and self.endpoint not in (*BY_JUDGE, "orderings"):
            raise ValueError(f"endpoint {self.endpoint} has no metric")
        for key in () if self.of_runs else ("per", "compare_at", "varies"):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"endpoint {self.endpoint} has no {key}: it compares no runs")
        wanted = {"flips": "equivalence", "orderings": "difference"}.get(self.endpoint, self.test)
        if self.test != wanted:
            raise ValueError(f"endpoint {self.endpoint} needs test {wanted}")
        return self

    @model_validator(mode="after")
    def _one_form(self) -> "Contrast":
        sides = (self.minuend is not None) + (self.subtrahend is not None)
        if self.endpoint == "orderings" and (sides or self.terms):
            raise ValueError("endpoint orderings compares a metric with chance: it has no terms, minuend or subtrahend")
        if sides != (0 if self.terms or self.endpoint == "orderings" else 2) or (
            self.terms and self.endpoint == "flips"
        ):
            raise ValueError("either terms, or minuend and subtrahend, are required; endpoint flips has no terms")
        if sides and self.minuend == self.subtrahend:
            raise ValueError(f"{self.minuend} is compared with itself")
        if self.primary and self.per:
            raise ValueError("a primary contrast is one mean: leave out per, or list a contrast for each row")
        if (self.margin is None) == (self.test == "equivalence"):
            raise ValueError("test equivalence needs a margin, and only it has one")
        key, other = ("at", "weight") if self.test == "slope" else ("weight", "at")
        given = [getattr(term, key) for term in self.terms]
        if None in given or any(getattr(term, other) is not None for term in self.terms):
            raise ValueError(f"with test {self.test}, each term has {key}, and none has {other}")
        if self.test == "slope" and len(set(given)) < 2:
            raise ValueError("a slope needs terms with at least two values of at")
        total = math.fsum(given) if self.test != "slope" else 0.0
        if abs(total) > 1e-9 or (given and not any(given)):
            raise ValueError(f"the weights of terms add up to {total:g}; they must add up to 0, and not all be 0")
        return self

    @property
    def of_runs(self) -> bool:
        """Whether it compares runs, by their accuracies."""
        return self.endpoint not in TERMS_OF

    @property
    def least(self) -> float | None:
        """The margin as a share or, of scores of captions, in their unit."""
        if self.margin is None or self.endpoint == "caption_score":
            return self.margin
        return self.margin / 100

    @property
    def span(self) -> float:
        """Of a slope, the range of its terms' `at`; of others 1."""
        at = [term.at for term in self.terms if term.at is not None]
        return max(at) - min(at) if self.test == "slope" else 1.0

    @property
    def rows_per(self) -> tuple[Axis, ...]:
        """What there is a row for each of, besides tags and steps."""
        return (() if self.primary else PER) if self.per is None else self.per

    @property
    def cells(self) -> tuple[tuple[float, Term], ...]:
        """The terms with their weights; what rounding left of the sum of weights is taken off them evenly."""
        if not self.terms:
            sides = (self.minuend, self.subtrahend)
            terms = [Term(arm=side) if self.endpoint in BY_JUDGE else Term(pairs=side) for side in sides]
            return tuple(zip((1.0, -1.0), terms, strict=True))
        if self.test == "slope":  # least squares: sum (x - mean x) y / sum (x - mean x)^2
            values = [term.at or 0.0 for term in self.terms]
            middle = math.fsum(values) / len(values)
            squares = math.fsum((value - middle) ** 2 for value in values)
            weights = [(value - middle) / squares for value in values]
        else:
            weights = [term.weight or 0.0 for term in self.terms]
        excess = math.fsum(weights) / sum(map(bool, weights))
        return tuple(
            (weight - excess if weight else 0.0, term) for weight, term in zip(weights, self.terms, strict=True)
        )
