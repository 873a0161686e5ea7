"""The original captions, on RedCaps the Reddit titles."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows
from workflow_scripts.core.settings import Settings


def select(inputs: ArmInputs, settings: Settings) -> Rows:
    """Rows with the original caption of each image."""
    from workflow_scripts.captions.arm_rows import original_rows

    return original_rows(inputs.table)


ARM_KIND = ArmKind(
    name="original", summary="the caption that the image came with", scored=True, select=select, row_wise=True
)
