"""One caption per image for an arm.

A kind of arm is one file in ``captions/arms/``. All of them are in the code digest of this stage, which takes seconds
per arm; later stages do not rerun if its bytes stay the same.
"""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, create_model, model_validator
from pydantic.fields import FieldInfo

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind
from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage

ARM_KINDS = discover("workflow_scripts.captions.arms", ArmKind)
BASES = [name for name, kind in ARM_KINDS.items() if kind.needs is None]


class _Arm(Settings):
    """:class:`SelectCaptions` without the settings of the kinds."""

    kind: Annotated[str, OneOf(ARM_KINDS)] = Field(
        description=f"how the caption of an image is chosen. {listed(ARM_KINDS)}", examples=["revised"]
    )
    base: Annotated[str, OneOf(BASES)] = Field(
        "original", description="shuffled and mixed: the captions that are shuffled", examples=["revised"]
    )

    def settings_of(self, kind: str) -> Settings:
        """The settings of a kind among those of the arm."""
        wanted = ARM_KINDS[kind].settings
        return wanted.model_validate({name: getattr(self, name) for name in wanted.model_fields})

    @model_validator(mode="after")
    def _kind_accepts_them(self) -> Self:
        self.settings_of(self.kind)
        return self


def _settings_of_kinds(kinds: Mapping[str, ArmKind]) -> dict[str, tuple[Any, FieldInfo]]:
    """Name -> type and field of each setting that a kind has; its description says which kinds."""
    found: dict[str, tuple[Any, FieldInfo]] = {}
    for name, field in ((name, field) for kind in kinds.values() for name, field in kind.settings.model_fields.items()):
        users = [one.name for one in kinds.values() if name in one.settings.model_fields]
        field = copy(field)
        field.description = f"{' and '.join(users)}: {field.description}"
        found[name] = (field.annotation, field)
    return found


if TYPE_CHECKING:

    class SelectCaptions(_Arm):
        """Which caption each image of an arm gets."""
else:
    SelectCaptions = create_model(
        "SelectCaptions",
        __base__=_Arm,
        __doc__="Which caption each image of an arm gets.",
        **_settings_of_kinds(ARM_KINDS),
    )


def select_captions(job: Job[SelectCaptions]) -> None:
    """Select the arm's captions from the caption table."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arm_rows import counts
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    settings, kind = job.settings, ARM_KINDS[job.settings.kind]
    table = pq.read_table(job.input("captions").path(".parquet"))
    base = file = None
    if kind.needs == "base":
        base = ARM_KINDS[settings.base].select(ArmInputs(table), settings.settings_of(settings.base))
    if kind.needs == "file":
        file = job.source("external")
    arm = kind.select(ArmInputs(table, base, file), settings.settings_of(kind.name))
    write_table(job.file(".parquet"), arm)
    job.file(".json").write_bytes(pretty({"kind": kind.name, **counts(arm, table)}))
    job.rows(len(table), len(arm))


STAGE = Stage(
    run=select_captions,
    settings=SelectCaptions,
    artifact="{arm}",
    inputs=("captions", "external"),
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
