"""Captions by the text generator of the demo's world, with a stated share of named and of right properties."""

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows, Seeded
from workflow_scripts.core.settings import quantity


class OfWorld(Seeded):
    """How much captions name, and how much of it is right."""

    coverage: float = quantity(1.0, unit="share of properties", ge=0, le=1, examples=[0.67])
    """Share of the six properties of a picture that its caption names, rounded to whole properties; the concept always.
    """
    precision: float = quantity(1.0, unit="share of named properties", ge=0, le=1, examples=[0.75])
    """How often a named property has its true value; otherwise it has another."""


def select(inputs: ArmInputs, settings: OfWorld) -> Rows:
    """A caption of each image by what it shows, whose scores are unknown."""
    import pyarrow as pa

    from workflow_scripts.captions.arm_rows import arm_table

    table, describe = inputs.table, inputs.describe
    assert describe is not None
    texts = [describe(key, settings.seed, settings.coverage, settings.precision) for key in table["key"].to_pylist()]
    unknown = pa.nulls(len(table), pa.float32())
    return arm_table(table, pa.array(texts, pa.string()), ["world"] * len(table), unknown, unknown)


ARM_KIND = ArmKind(
    name="world",
    summary="what the demo's world says of a picture, with a stated share of named and of right properties",
    settings=OfWorld,
    select=select,
    from_world=True,
    columns=("subreddit", "year"),
    row_wise=True,
)
