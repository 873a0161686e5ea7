"""Whether the judges agree on which captions of an arm are better than the original ones, and why they choose them."""

from pathlib import Path

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class JudgeComparison(Settings):
    """How the choices of judges between an arm's captions and the original ones are compared."""

    images: int = quantity(100_000, unit="images", ge=1, examples=[20_000])
    """Maximum number of images to compare: a random choice of those that all judges scored."""
    seed: int = Field(0, examples=[1])
    """Seed of the choice of images."""


def judge_comparison(job: Job[JudgeComparison]) -> None:
    """Compare the judges' choices between the arm of the job and the other one."""
    from workflow_scripts.captions.diagnostics.judge_comparison import judges, pairs, sample
    from workflow_scripts.core.files.jsonio import pretty

    blocks: dict[str, dict[str, list[Path]]] = {}
    for artifact in job.inputs("scores"):
        judged = blocks.setdefault(artifact.unit["block"], {}).setdefault(artifact.unit["judge"], [])
        judged.insert(len(judged) if artifact.unit["arm"] == job.unit["arm"] else 0, artifact.path(".parquet"))
    compared, scored = sample(blocks.values(), job.settings.images, job.settings.seed)
    counts = {"scored_by_all": scored, "compared": min(scored, job.settings.images)}
    figures = {"images": counts, "judges": judges(compared), "pairs": pairs(compared)}
    job.file(".json").write_bytes(pretty(figures))


STAGE = Stage(run=judge_comparison, settings=JudgeComparison, artifact="{arm}", packages=("numpy", "scipy", "pyarrow"))

FACTS = Facts(
    files={
        ".json": File(
            "how often each judge chooses the arm's caption instead of the original one; how often that choice changes "
            "with margin, standardisation and judge; how far judges agree",
            Tolerance(1e-4, 0.02, "none; shares of images, from the tables of scores"),
            published=True,
        )
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 800),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="assumed"),
    section="judge_comparison",
    names=lambda units: [arm for arm in units.arms if units.judges and units.study.replaced_arm not in (None, arm)],
    inputs={"scores": lambda units, unit: units.scores([units.study.replaced_arm, unit["arm"]], units.judges)},
)

if __name__ == "__main__":
    run_stage(STAGE)
