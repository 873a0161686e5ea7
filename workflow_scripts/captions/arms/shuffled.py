"""Captions of other images: the negative control."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows, ShuffleSettings


def select(inputs: ArmInputs, settings: ShuffleSettings) -> Rows:
    """The base rows, each with the caption of another image; the scores of the new pairs are unknown.

    Raises:
        PipelineError: no image can get another caption.
    """
    from workflow_scripts.captions.arm_rows import exchange
    from workflow_scripts.captions.derange import derange

    base = inputs.arms[settings.base]
    return exchange(base, settings.within, lambda texts, groups: derange(texts, groups, settings.seed))


ARM_KIND = ArmKind(
    name="shuffled",
    summary="the caption of another image",
    settings=ShuffleSettings,
    arms=("base",),
    select=select,
    columns=(),
)
