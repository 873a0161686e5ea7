"""One caption per image for an arm, chosen from the caption table, from other arms or from a file.

A kind of arm is one file in ``captions/arms/``. All of them are in the code digest of this stage, which takes seconds
per arm; later stages do not rerun if its bytes stay the same.
"""

from typing import TYPE_CHECKING, Annotated, Any, Self

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

    from workflow_scripts.captions.arm_rows import UNUSED, counts
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    settings, kind = job.settings, ARM_KINDS[job.settings.kind]
    table = pq.read_table(job.input("captions").path(".parquet"))
    arms = {one.name: _rows(one, table["key"]) for one in job.inputs("arms")}
    file = job.source("external") if kind.from_file else None
    inputs = ArmInputs(table, arms, file, _scores(job, table["key"]), dict(map(_calibration, job.inputs("margins"))))
    arm = kind.select(inputs, settings_of(settings, kind))
    write_table(job.file(".parquet"), arm)
    found = counts(arm, table)
    of_kind = {"file" if kind.from_file else "judges": dict(inputs.counts)} if inputs.counts else {}
    job.file(".json").write_bytes(pretty({"kind": kind.name, **found, **of_kind}))
    captioned = len(arm) - found["empty"]
    if kind.from_file:
        job.rows(inputs.counts["captions"], captioned, {reason: inputs.counts[reason] for reason in UNUSED})
    else:
        job.rows(len(table), captioned, {"no_caption": found["empty"]})


def _scores(job: Job[SelectCaptions], keys: "pa.ChunkedArray") -> "dict[tuple[str, str], pa.Table]":
    """(judge, arm) -> scores of the captions of all images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.core.errors import PipelineError

    parts: dict[tuple[str, str], list[pa.Table]] = {}
    for one in job.inputs("scores"):
        parts.setdefault((one.unit["judge"], one.unit["arm"]), []).append(pq.read_table(one.path(".parquet")))
    found = {}
    for (judge, arm), tables in parts.items():
        scores = pa.concat_tables(tables)
        if scores["key"] != keys:
            where, value = f"{judge}'s scores of {arm}", f"{len(scores)} captions, {len(keys)} images"
            raise PipelineError("scores of other images", where, value, "rerun the workflow from score_captions")
        found[judge, arm] = scores.drop_columns("key")
    return found


def _calibration(made: Artifact) -> tuple[str | None, dict[str, dict[str, Any]]]:
    """The judge, or None for the matcher, and figures of its scores."""
    from workflow_scripts.core.files.jsonio import read_json

    path = made.path(".json")
    figures = read_json(path, "rerun the workflow from this artifact")
    if "judge" in made.unit:
        return made.unit["judge"], figures
    return None, {score: {"raw": one} for score, one in figures["scores"].items()}


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
    inputs=("captions", "external", "arms", "scores", "margins"),
    packages=("numpy", "pyarrow", "scipy"),
)

FACTS = Facts(
    files={
        ".parquet": File("the caption of each image and its origin"),
        ".json": File("counts", published=True),
    },
    environment="core",
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 1_500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
    disk=lambda load: load.rows * 200,  # a caption and its key
    names="arms",
    section="arms.{arm}",
    sources={"external": "captions-{arm}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
