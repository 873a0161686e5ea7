"""The better of two captions: the original and a generated one, or those of any two arms.

This follows "Impact of Language Guidance: A Reproducibility Study" (arXiv 2504.08140): a generated caption replaces the
original if BLIP-2's image-text matching prefers it. Margin and threshold are ours: matching was trained together with
the captioner and favours its wording, and a margin requires more than a tie. So is the judge, which need not be of the
captioner's family.
"""

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows
from workflow_scripts.core.settings import Settings, quantity, refuse_changed

if TYPE_CHECKING:
    import numpy as np

OF_JUDGE = ("original", "replacement", "score", "centred")
"""Settings without effect unless a judge is given."""


class Revised(Settings):
    """When a caption replaces the original."""

    judge: str | None = Field(None, examples=["blip2"])
    """The judge whose scores decide; null: the matcher's ITM score."""
    original: str | None = Field(None, examples=["original"])
    """With a judge: the arm whose caption is replaced."""
    replacement: str | None = Field(None, examples=["generated"])
    """With a judge: the arm whose caption replaces it."""
    score: str | None = Field(None, examples=["itc"])
    """Which score of the judge; null: its only one."""
    centred: bool = Field(False, examples=[True])
    """true: centred scores, relative to those of the same caption with other images."""
    margin: float = quantity(0.0, unit="units of the score; logits for ITM", examples=[0.5])
    """A caption replaces the original if its score is higher by more than this."""
    threshold: float | None = quantity(None, unit="units of the score", examples=[0.0])
    """An original with a lower score is always replaced; null: no threshold."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.judge is None:
            refuse_changed(self, OF_JUDGE, "without a judge; remove it or name a judge")
        elif self.original is None or self.replacement is None or self.original == self.replacement:
            raise ValueError("a judge compares two arms; name them as original and replacement")
        return self


def select(inputs: ArmInputs, settings: Revised) -> Rows:
    """The replacement where :func:`judged` or :func:`by_itm` says so, else the original."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from workflow_scripts.captions.arm_rows import empty, generated_rows, original_rows

    if settings.original is not None and settings.replacement is not None:
        old, new = inputs.arms[settings.original], inputs.arms[settings.replacement]
        better = judged(inputs, settings)
    else:
        old, new = original_rows(inputs.table), generated_rows(inputs.table)
        better = by_itm(old, new, settings.margin, settings.threshold)
    # An empty caption is replaced by any, and replaces none. Scores of equal captions differ by rounding at most.
    equal = pc.fill_null(pc.equal(old["caption"], new["caption"]), False).to_numpy()
    chosen = (better | empty(old["caption"])) & ~empty(new["caption"]) & ~equal
    rows = pa.array(np.where(chosen, len(old), 0) + np.arange(len(old)))
    return pa.concat_tables([old, new]).take(rows).combine_chunks()


def by_itm(old: Rows, new: Rows, margin: float, threshold: float | None) -> "np.ndarray":
    """(n,) bool: where ITM is higher in ``new`` by more than the margin, or lower than the threshold in ``old``.

    ITM is the logit difference match - no match.
    """
    import numpy as np

    old_itm, new_itm = (rows["itm"].to_numpy() for rows in (old, new))
    better = new_itm > old_itm + np.float32(margin)
    if threshold is not None:
        better |= old_itm < np.float32(threshold)
    return np.asarray(better)


def judged(inputs: ArmInputs, settings: Revised) -> "np.ndarray":
    """(n,) bool: for which images the judge's score of the replacement is higher by more than the margin.

    The original is also replaced if its score is lower than the threshold. An image keeps it, unless it is empty, where
    one of the scores is unknown.
    """
    import numpy as np

    from workflow_scripts.captions.score_table import KINDS, score_names

    tables = [inputs.scores[str(settings.judge), str(arm)] for arm in (settings.original, settings.replacement)]
    names = score_names(tables[0])
    name = settings.score if settings.score in names else names[0]
    column = f"{name}{KINDS['centred' if settings.centred else 'raw']}"
    old, new = (table[column].fill_null(np.nan).to_numpy().astype(np.float64) for table in tables)
    gain = new - old
    inputs.counts["images_without_scores"] += int(np.isnan(gain).sum())
    better = gain > settings.margin
    if settings.threshold is not None:
        better |= ~np.isnan(gain) & (old < settings.threshold)
    return np.asarray(better)


ARM_KIND = ArmKind(
    name="revised",
    summary="the better of original and generated caption by ITM, or of the captions of two arms by a judge",
    settings=Revised,
    arms=("original", "replacement"),
    scored=True,
    select=select,
    generated=lambda settings: settings.judge is None,
    row_wise=True,
)
