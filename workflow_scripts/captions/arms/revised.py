"""The better of two captions: the original and a generated one, or those of any two arms.

This follows "Impact of Language Guidance: A Reproducibility Study" (arXiv 2504.08140): a generated caption replaces the
original if BLIP-2's image-text matching prefers it. Margin and threshold are ours: matching was trained together with
the captioner and favours its wording, and a margin requires more than a tie. So are the judges, which need not be the
captioner's.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, CandidateSettings
from workflow_scripts.core.errors import PipelineError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

OF_JUDGES = ("original", "replacement", "score", "standardised", "combine")
"""Settings without effect unless a judge is given."""


class Revised(CandidateSettings):
    """When a caption replaces the original."""

    judge: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None,
        description="the judge whose scores decide, or a list of judges; null: the matcher's ITM score",
        examples=["blip2", ["clip", "labels"]],
    )
    original: str | None = Field(
        None, description="with a judge: the arm whose caption is replaced", examples=["original"]
    )
    replacement: str | None = Field(
        None, description="with a judge: the arm whose caption replaces it", examples=["generated"]
    )
    score: str | None = Field(None, description="which score of the judge; null: its only one", examples=["itc"])
    standardised: bool = Field(
        False,
        description="true: standardised scores, relative to those of the same caption with other images",
        examples=[True],
    )
    combine: Literal["vote", "mean_rank"] = Field(
        "vote",
        description="how several judges choose. vote: by majority, each with its margin; mean_rank: the caption with "
        "the higher mean rank among the captions of both arms, as a share of these",
        examples=["mean_rank"],
    )
    margin: float | Literal["calibrated"] = Field(
        0.0,
        description="a caption replaces the original if its score is higher by more than this. calibrated: the margin "
        "that agrees best with people's ratings (caption_labels), separately for each judge",
        examples=[0.5],
        json_schema_extra={"unit": "units of the score; logits for ITM; shares of ranks with mean_rank"},
    )
    threshold: float | None = Field(
        None,
        description="an original with a lower score is always replaced; null: no threshold",
        examples=[0.0],
        json_schema_extra={"unit": "units of the score; shares of ranks with mean_rank"},
    )

    @property
    def judges(self) -> tuple[str, ...]:
        """The judges that choose; none: ITM does."""
        if self.judge is None:
            return ()
        return (self.judge,) if isinstance(self.judge, str) else self.judge

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        fields = type(self).model_fields
        if self.judge is None:
            for name in OF_JUDGES:
                if getattr(self, name) != fields[name].default:
                    raise ValueError(f"{name} has no effect without a judge; remove it or name a judge")
            return self
        if self.original is None or self.replacement is None or self.original == self.replacement:
            raise ValueError("a judge compares two arms; name them as original and replacement")
        if self.best_by != fields["best_by"].default:
            raise ValueError("best_by has no effect with a judge; give it to the arm of generated captions")
        if len(set(self.judges)) < len(self.judges):
            raise ValueError("a judge has one vote; name each judge once")
        if len(self.judges) == 1 and self.combine != "vote":
            raise ValueError("combine has no effect on one judge; remove it or name several judges")
        if self.combine == "mean_rank" and self.margin == "calibrated":
            raise ValueError("a calibrated margin is one of scores, not of ranks; use combine: vote or give a number")
        self._common_units()
        return self

    def _common_units(self) -> None:
        """Refuse one number as margin or threshold of several judges whose raw scores differ in units."""
        if self.combine == "mean_rank" and not 0 <= (self.threshold or 0) <= 1:
            raise ValueError("with mean_rank, threshold is a share of ranks; give a number from 0 to 1")
        if self.combine == "vote" and len(self.judges) > 1 and not self.standardised:
            if self.margin not in (0, "calibrated"):
                advice = "use standardised: true, combine: mean_rank, margin: calibrated or margin: 0"
                raise ValueError(
                    f"raw scores of several judges have different units, so one margin can't fit; {advice}"
                )
            if self.threshold is not None:
                advice = "use standardised: true or combine: mean_rank, or remove it"
                raise ValueError(
                    f"raw scores of several judges have different units, so one threshold can't fit; {advice}"
                )


def select(inputs: ArmInputs, settings: Revised) -> "pa.Table":
    """The replacement where :func:`judged` or :func:`by_itm` says so, else the original.

    Raises:
        PipelineError: there is no calibrated margin.
    """
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.captions.arm_rows import empty, generated_rows, original_rows

    if settings.original is not None and settings.replacement is not None:
        old, new = inputs.arms[settings.original], inputs.arms[settings.replacement]
        better = judged(inputs, settings)
    else:
        old, new = original_rows(inputs.table), generated_rows(inputs.table, settings.best_by)
        better = by_itm(old, new, _margin(inputs, settings, None, "itm", "raw"), settings.threshold)
    # An empty caption is replaced by any, and replaces none.
    chosen = (better | empty(old["caption"])) & ~empty(new["caption"])
    rows = pa.array(np.where(chosen, len(old), 0) + np.arange(len(old)))
    return pa.concat_tables([old, new]).take(rows).combine_chunks()


def by_itm(old: "pa.Table", new: "pa.Table", margin: float, threshold: float | None) -> "np.ndarray":
    """(n,) bool: whose ITM is higher in ``new`` by more than the margin, or lower than the threshold in ``old``.

    ITM is the logit difference match - no match.
    """
    import numpy as np

    old_itm, new_itm = (rows["itm"].to_numpy() for rows in (old, new))
    better = new_itm > old_itm + np.float32(margin)
    if threshold is not None:
        better |= old_itm < np.float32(threshold)
    return np.asarray(better)


def judged(inputs: ArmInputs, settings: Revised) -> "np.ndarray":
    """(n,) bool: for which images the judges choose the replacement (:mod:`workflow_scripts.captions.choosing`).

    Raises:
        PipelineError: there is no calibrated margin.
    """
    import numpy as np

    from workflow_scripts.captions.choosing import by_mean_rank, by_vote
    from workflow_scripts.captions.diagnostics.judged import KINDS, score_names

    kind = "standardised" if settings.standardised else "raw"
    names, margins = [], []
    for judge in settings.judges:
        known = score_names(inputs.scores[judge, str(settings.original)])
        names.append(settings.score if settings.score in known else known[0])
        margins.append(_margin(inputs, settings, judge, names[-1], kind))
    old, new = (
        np.array(
            [
                inputs.scores[judge, str(arm)][f"{name}{KINDS[kind]}"].fill_null(np.nan).to_numpy().astype(np.float64)
                for judge, name in zip(settings.judges, names, strict=True)
            ]
        )
        for arm in (settings.original, settings.replacement)
    )
    # These images keep the original, unless it is empty.
    inputs.counts["images_without_scores"] += int(np.isnan(new - old).all(axis=0).sum())
    if settings.combine == "mean_rank":
        return by_mean_rank(old, new, margins[0], settings.threshold)
    return by_vote(old, new, margins, settings.threshold)


def _margin(inputs: ArmInputs, settings: Revised, judge: str | None, score: str, kind: str) -> float:
    if settings.margin != "calibrated":
        return settings.margin
    found = inputs.calibrations[judge][score][kind]["margin"]
    if "value" not in found:
        value = f"{found['n']} images of which people rated one caption higher"
        advice = "have more images rated, or give a number as margin"
        raise PipelineError("no calibrated margin", f"{judge or 'matcher'}, {kind} {score}", value, advice)
    return float(found["value"])


ARM_KIND = ArmKind(
    name="revised",
    summary="the better of original and generated caption by ITM, or of the captions of two arms by judges",
    settings=Revised,
    from_file=False,
    arms=("original", "replacement"),
    scored=True,
    select=select,
    row_wise=lambda settings: settings.combine == "vote",  # ranks are among all captions
)
