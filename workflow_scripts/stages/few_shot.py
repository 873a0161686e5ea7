"""Few-shot accuracy of one checkpoint on one downstream dataset."""

from dataclasses import replace

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, File
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.facts import PROTOTYPES, SCORES
from workflow_scripts.evaluation.interval_settings import Intervals


class FewShot(Intervals):
    """Nearest-prototype classification of frozen features; defaults of the original study."""

    episodes: int = quantity(5000, unit="episodes", ge=2, examples=[1000])
    """Episodes per dataset."""
    ways: int = quantity(5, unit="classes", ge=2, examples=[10])
    """Classes per episode; a dataset with fewer uses all of them and records it, and is not averaged with datasets that
    have more."""
    shots: int = quantity(5, unit="images", ge=1, examples=[1])
    """Support images per class, from the train split."""
    queries: int = quantity(6, unit="images", ge=1, examples=[15])
    """Query images per class, from the test split."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of the episodes; an episode depends on it, the dataset and its number."""


def few_shot(job: Job[FewShot]) -> None:
    """Score the same episodes for every checkpoint; a dataset with fewer than two usable classes has no result."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation import few_shot as scoring
    from workflow_scripts.evaluation.downstream import load_downstream

    data = load_downstream(job.input("dataset"), job.input("features"))
    scores = scoring.few_shot(data, **job.settings.model_dump(), device=job.device)
    for suffix, table in scoring.tables(data, scores).items():
        write_table(job.file(suffix), table)
    left_out = int(scores is None)
    job.rows(1, 1 - left_out, {"under_two_usable_classes": left_out})


STAGE = Stage(
    run=few_shot,
    settings=FewShot,
    artifact="{run}.{step}.{dataset}",
    packages=("numpy", "scipy", "pyarrow"),
    on_device=True,
)

FACTS = replace(
    SCORES,
    files={
        ".parquet": File("mean, standard error, interval", PROTOTYPES, published=True),
        ".episodes.parquet": File("accuracy of each episode", PROTOTYPES),
        ".images.parquet": File("episodes and hits of each test image", PROTOTYPES),
    },
    resources=replace(SCORES.resources, minutes=20, gpu_mb=lambda load: 1_000 + load.labelled * load.features * 4e-6),
    cost=Cost(
        per="episode",
        units=lambda load: load.settings["episodes"],
        core_ms=0.15,
        source="demo study, upper bound",
    ),
    section="evaluation.few_shot",
)

if __name__ == "__main__":
    run_stage(STAGE)
