"""A share of the images keeps its captions; those of the other images are shuffled."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows, ShuffleSettings
from workflow_scripts.core.settings import quantity


class Mixed(ShuffleSettings):
    """How much is shuffled."""

    share: float = quantity(0.5, unit="share of images", ge=0, le=1, examples=[0.25])
    """Share of images that keep the base caption."""


def select(inputs: ArmInputs, settings: Mixed) -> Rows:
    """The base with exactly round(share * n) captions unchanged and the rest shuffled among themselves.

    Raises:
        PipelineError: no image can get another caption.
    """
    from workflow_scripts.captions.arm_rows import exchange
    from workflow_scripts.captions.derange import mix

    base, share, seed = inputs.arms[settings.base], settings.share, settings.seed
    return exchange(base, settings.within, lambda texts, groups: mix(texts, groups, share, seed))


ARM_KIND = ArmKind(
    name="mixed",
    summary="a share of images keeps its caption and the rest is shuffled",
    settings=Mixed,
    arms=("base",),
    select=select,
    columns=(),
)
