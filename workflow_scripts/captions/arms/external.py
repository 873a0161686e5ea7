"""Captions from the user's table."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


class External(Settings):
    """How many captions may be missing."""

    max_missing_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="maximum share of images without a caption",
        examples=[0.01],
        json_schema_extra={"unit": "share of images"},
    )


def select(inputs: ArmInputs, settings: External) -> "pa.Table":
    """The captions of the user's table.

    Raises:
        PipelineError: the table is missing, or does not match the images (:func:`join`).
    """
    from workflow_scripts.captions.caption_file import read_captions

    where = Path(str(inputs.file))
    return join(inputs.table, read_captions(where, inputs.table["key"]), settings, where)


def join(table: "pa.Table", given: "pa.Table", settings: External, where: Path) -> "pa.Table":
    """Rows with the captions of ``given`` (columns key, caption), matched by key; "" for missing ones.

    Raises:
        PipelineError: ``given`` repeats a key, or lacks too many of the images.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from workflow_scripts.captions.arm_rows import arm_table

    counts = pc.value_counts(given["key"])
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise PipelineError("repeated key", where, twice[0]["values"].as_py(), "keep one row per image")
    captions = given["caption"].take(pc.index_in(table["key"], value_set=given["key"]))
    missing = captions.null_count
    if missing > settings.max_missing_share * len(table):
        example = table["key"].filter(captions.is_null())[0].as_py()
        allowed = f"{settings.max_missing_share:.2%} are allowed"
        value = f"{missing} of {len(table)} images have none, such as {example}; {allowed}"
        raise PipelineError("missing captions", where, value, "complete the table or raise the arm's max_missing_share")
    none = pa.nulls(len(table), pa.float32())
    return arm_table(table, pc.fill_null(captions, ""), ["external"] * len(table), none, none)


ARM_KIND = ArmKind(
    name="external",
    summary="from a table",
    settings=External,
    from_file=True,
    arms=(),
    select=select,
)
