"""The generated captions: the best one for each image."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows
from workflow_scripts.core.settings import Settings


def select(inputs: ArmInputs, settings: Settings) -> Rows:
    """Rows with the best generated caption of each image."""
    from workflow_scripts.captions.arm_rows import generated_rows

    return generated_rows(inputs.table)


ARM_KIND = ArmKind(
    name="generated",
    summary="the generated caption, of several the one with the best ITM",
    scored=True,
    select=select,
    generated=lambda _: True,
    row_wise=True,
)
