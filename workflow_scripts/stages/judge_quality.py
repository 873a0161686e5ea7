"""What a judge says of each arm's captions, and whether it judges their style."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


class JudgeQuality(Settings):
    """Which arm the others are compared with."""

    reference: str | None = None
    """Arm that others are compared with; null: none."""


def judge_quality(job: Job[JudgeQuality]) -> None:
    """Summarise the judge's scores of all arms."""
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.captions.diagnostics.judged import compare
    from workflow_scripts.core.files.jsonio import pretty

    parts: dict[str, list[Path]] = {}
    for artifact in job.inputs("scores"):
        parts.setdefault(artifact.unit["arm"], []).append(artifact.path(".parquet"))

    def read(arm: str) -> pa.Table:
        columns = [name for name in pq.read_schema(parts[arm][0]).names if name != "key"]
        return pa.concat_tables(pq.read_table(path, columns=columns) for path in parts[arm])

    job.file(".json").write_bytes(pretty(compare(parts, read, job.settings.reference)))


STAGE = Stage(run=judge_quality, settings=JudgeQuality, artifact="{judge}", packages=("numpy", "scipy", "pyarrow"))

FACTS = Facts(
    files={
        ".json": File(
            "by arm: mean score, how often a caption's own image scores higher than a random one, and style control",
            Tolerance(1e-4, 0.02, "none; means over the tables of scores"),
            published=True,
        )
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 1_500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="assumed"),
    names=lambda units: units.judges,
    inputs={"scores": lambda units, unit: units.scores(units.arms, [unit["judge"]])},
    settings=lambda units, _: {"reference": units.reference_arm},
)

if __name__ == "__main__":
    run_stage(STAGE)
