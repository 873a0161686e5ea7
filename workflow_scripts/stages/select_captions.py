"""One caption per image for an arm, from the caption table, other arms, a file or the demo's world.

A kind of arm is one file in ``captions/arms/``. All of them are in the code digest of this stage, which takes seconds
per arm; later stages do not rerun if its bytes stay the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind
from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.declaration.kind_settings import settings_of, with_kinds
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

ARM_KINDS = discover("workflow_scripts.captions.arms", ArmKind)


@with_kinds(ARM_KINDS)
class SelectCaptions(Settings):
    """Which caption each image of an arm gets."""

    kind: Annotated[str, OneOf(ARM_KINDS)] = Field(
        description=f"how the caption of an image is chosen. {listed(ARM_KINDS)}", examples=["revised"]
    )

    @model_validator(mode="after")
    def _kind_accepts_them(self) -> Self:
        settings_of(self, ARM_KINDS[self.kind])
        return self


def select_captions(job: Job[SelectCaptions]) -> None:
    """Select the arm's captions from the caption table."""
    from workflow_scripts.captions.arm_rows import SCHEMA, UNUSED, summed
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_parts

    kind, of_kind = ARM_KINDS[job.settings.kind], Counter[str]()
    part_counts: list[dict[str, Any]] = []
    rows = write_parts(job.file(".parquet"), SCHEMA, _parts(job, kind, of_kind, part_counts))
    counts = summed(part_counts)
    more = {"file" if kind.from_file else "judges": dict(of_kind)} if of_kind else {}
    job.file(".json").write_bytes(pretty({"kind": kind.name, **counts, **more}))
    captioned = rows - counts["empty"]
    if kind.from_file:
        job.rows(of_kind["captions"], captioned, {reason: of_kind[reason] for reason in UNUSED})
    else:
        job.rows(rows, captioned, {"no_caption": counts["empty"]})


def _parts(
    job: Job[SelectCaptions], kind: ArmKind, of_kind: Counter[str], part_counts: list[dict[str, Any]]
) -> "Iterator[pa.Table]":
    """The arm's rows, a row group at a time; adds its counts to ``of_kind`` and ``part_counts``.

    A kind that chooses row by row gets as many rows of its inputs at a time, any other all at once.
    """
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arm_rows import counts
    from workflow_scripts.core.files.tables import ROW_GROUP, RowReader

    path, settings = job.input("captions").path(".parquet"), settings_of(job.settings, kind)
    table = RowReader([path], None if kind.columns is None else ["key", *kind.columns])
    originals, total = RowReader([path], ["original"]), pq.read_metadata(path).num_rows
    arms = {arm.name: _Rows("captions", [arm.path(".parquet")], total) for arm in job.inputs("arms")}
    scores, describe = _scores(job, total), _describe(job) if kind.from_world else None
    file = job.source("external") if kind.from_file else None
    step = ROW_GROUP if kind.row_wise else max(1, total)
    for _ in range(0, total, step):
        rows = table.read(step)
        of_arms = {name: reader.read(rows["key"]) for name, reader in arms.items()}
        of_judges = {names: reader.read(rows["key"]).drop_columns("key") for names, reader in scores.items()}
        arm = kind.select(ArmInputs(rows, of_arms, file, of_judges, describe, of_kind), settings)
        for start in range(0, len(arm), ROW_GROUP):
            part = arm.slice(start, ROW_GROUP)
            part_counts.append(counts(part, originals.read(len(part))))
            yield part


class _Rows:
    """Rows of another artifact, which must be of the ``total`` images of the caption table."""

    def __init__(self, what: str, paths: "Sequence[Path]", total: int) -> None:
        import pyarrow.parquet as pq

        from workflow_scripts.core.files.tables import RowReader

        count, advice = sum(pq.read_metadata(path).num_rows for path in paths), "rerun the workflow from this artifact"
        value = f"{count} captions, {total} images"
        self._mismatch = PipelineError(f"{what} belong to other images", paths[0], value, advice)
        if count != total:
            raise self._mismatch
        self._reader = RowReader(paths)

    def read(self, keys: "pa.ChunkedArray") -> "pa.Table":
        """The rows of the next images, which are those with these keys."""
        rows = self._reader.read(len(keys))
        if rows["key"] != keys:
            raise self._mismatch
        return rows


def _scores(job: Job[SelectCaptions], total: int) -> dict[tuple[str, str], _Rows]:
    """(judge, arm) -> scores of the captions of all images."""
    paths: dict[tuple[str, str], list[Path]] = {}
    for artifact in job.inputs("scores"):
        paths.setdefault((artifact.unit["judge"], artifact.unit["arm"]), []).append(artifact.path(".parquet"))
    return {names: _Rows(f"{names[0]}'s scores of arm {names[1]}", files, total) for names, files in paths.items()}


def _describe(job: Job[SelectCaptions]) -> Callable[[str, int, float, float], str]:
    """(key, seed, coverage, precision) -> a caption of an image of the demo's world."""
    import pyarrow.parquet as pq

    from workflow_scripts.demo.world.settings import LABELS, World
    from workflow_scripts.demo.world.texts import described
    from workflow_scripts.demo.world.vocabulary import Spec

    path = job.input("truth").path(".truth.parquet")
    truth = pq.read_table(path, columns=["image_id", *LABELS])
    shown = {row.pop("image_id"): Spec(**row) for row in truth.to_pylist()}
    world = World.model_validate({f"{name}s": truth[name].unique().sort().to_pylist() for name in ("scene", "colour")})

    def describe(key: str, seed: int, coverage: float, precision: float) -> str:
        if key not in shown:
            raise PipelineError("image not of the demo's world", path, key, "use annotations.source: world")
        return described(seed, key, shown[key], coverage, precision, world).text

    return describe


STAGE = Stage(
    run=select_captions,
    settings=SelectCaptions,
    artifact="{arm}",
    packages=("numpy", "pyarrow"),
    entries=lambda settings: {"captions.arms": [settings.kind]},
)

FACTS = Facts(
    files={".parquet": File("the caption of each image and its origin"), ".json": File("counts", published=True)},
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 800),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="demo study, upper bound"),
    disk=lambda load: load.rows * 200,  # a caption and its key
    section="arms.{arm}",
    sources={"external": "captions-{arm}"},
    names=lambda units: units.arms,
    inputs={
        "captions": "caption_table/captions",
        "arms": lambda units, unit: [
            f"select_captions/{arm}" for arm in dict.fromkeys(units.item("arms", unit["arm"]).arms_read.values())
        ],
        "scores": lambda units, unit: units.scores_read(unit["arm"]),
        "truth": lambda units, unit: (
            ["demo_world/world"] if ARM_KINDS[units.item("arms", unit["arm"]).kind].from_world else []
        ),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
