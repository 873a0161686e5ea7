"""The better of the original and the generated caption.

This follows "Impact of Language Guidance: A Reproducibility Study" (arXiv 2504.08140): a generated caption replaces the
original if BLIP-2's image-text matching prefers it. Margin and threshold are ours: matching was trained together with
the captioner and favours its wording, and a margin requires more than a tie.
"""

from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, CandidateSettings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Revised(CandidateSettings):
    """When a generated caption replaces the original."""

    margin: float = Field(
        0.0,
        description="the generated caption is used if its ITM score is higher by more than this",
        examples=[0.5],
        json_schema_extra={"unit": "ITM logit difference"},
    )
    threshold: float | None = Field(
        None,
        description="an original with a lower ITM score is always replaced; null: no threshold",
        examples=[0.0],
        json_schema_extra={"unit": "ITM logit difference"},
    )


def select(inputs: ArmInputs, settings: Revised) -> "pa.Table":
    """The generated caption where :func:`replaced` says so, else the original."""
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.captions.arm_rows import generated_rows, original_rows

    table = inputs.table
    chosen = replaced(table, settings)
    rows = pa.array(np.where(chosen, len(table), 0) + np.arange(len(table)))
    return pa.concat_tables([original_rows(table), generated_rows(table, settings.best_by)]).take(rows).combine_chunks()


def replaced(table: "pa.Table", settings: Revised) -> "np.ndarray":
    """(n,) bool: whose original is replaced by the best generated caption.

    It is if the generated caption is not empty and ITM(generated) > ITM(original) + margin, or ITM(original) <
    threshold, or the original is empty. ITM is the logit difference match - no match.
    """
    import numpy as np

    from workflow_scripts.captions.arm_rows import empty, generated_rows

    new = generated_rows(table, settings.best_by)
    old_itm, new_itm = table["itm_original"].to_numpy(), new["itm"].to_numpy()
    better = new_itm > old_itm + np.float32(settings.margin)
    if settings.threshold is not None:
        better |= old_itm < np.float32(settings.threshold)
    better |= empty(table["original"])
    return better & ~empty(new["caption"])


ARM_KIND = ArmKind(
    name="revised",
    summary="the better of original and generated caption by ITM",
    settings=Revised,
    from_file=False,
    arms=(),
    select=select,
)
