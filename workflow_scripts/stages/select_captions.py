"""One caption per image for an arm, chosen from the caption table, from other arms or from a file.

A kind of arm is one file in ``captions/arms/``. All of them are in the code digest of this stage, which takes seconds
per arm; later stages do not rerun if its bytes stay the same.
"""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, create_model, model_validator

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.kind_settings import fields_of, settings_of
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage

ARM_KINDS = discover("workflow_scripts.captions.arms", ArmKind)


class _Arm(Settings):
    """:class:`SelectCaptions` without the settings of the kinds."""

    kind: Annotated[str, OneOf(ARM_KINDS)] = Field(
        description=f"how the caption of an image is chosen. {listed(ARM_KINDS)}", examples=["revised"]
    )

    @model_validator(mode="after")
    def _kind_accepts_them(self) -> Self:
        settings_of(self, ARM_KINDS[self.kind])
        return self


if TYPE_CHECKING:
    import pyarrow as pa

    class SelectCaptions(_Arm):
        """Which caption each image of an arm gets."""
else:
    SelectCaptions = create_model(
        "SelectCaptions",
        __base__=_Arm,
        __doc__="Which caption each image of an arm gets.",
        **fields_of(ARM_KINDS),
    )


def select_captions(job: Job[SelectCaptions]) -> None:
    """Select the arm's captions from the caption table."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arm_rows import counts
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    settings, kind = job.settings, ARM_KINDS[job.settings.kind]
    table = pq.read_table(job.input("captions").path(".parquet"))
    arms = {one.name: _rows(one, table["key"]) for one in job.inputs("arms")}
    file = job.source("external") if kind.from_file else None
    arm = kind.select(ArmInputs(table, arms, file), settings_of(settings, kind))
    write_table(job.file(".parquet"), arm)
    found = counts(arm, table)
    job.file(".json").write_bytes(pretty({"kind": kind.name, **found}))
    job.rows(len(table), len(arm) - found["empty"], {"no_caption": found["empty"]})


def _rows(arm: Artifact, keys: "pa.ChunkedArray") -> "pa.Table":
    """Rows of another arm, which must be of the images with these keys."""
    import pyarrow.parquet as pq

    from workflow_scripts.core.errors import PipelineError

    rows = pq.read_table(arm.path(".parquet"))
    if rows["key"] != keys:
        value = f"{len(rows)} captions, {len(keys)} images"
        raise PipelineError("captions of other images", arm.path(".parquet"), value, "rerun the workflow from this arm")
    return rows


STAGE = Stage(
    run=select_captions,
    settings=SelectCaptions,
    artifact="{arm}",
    inputs=("captions", "external", "arms"),
    packages=("numpy", "pyarrow"),
)

FACTS = Facts(
    files={
        ".parquet": File("the caption of each image and its origin"),
        ".json": File("counts", published=True),
    },
    environment="core",
    resources=Resources(minutes=60, memory_mb=16_000, scales="rows"),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
    disk=lambda load: load.rows * 200,  # a caption and its key
    names="arms",
    section="arms.{arm}",
    sources={"external": "captions-{arm}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
