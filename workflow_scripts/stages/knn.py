"""Nearest-neighbour accuracy and statistics of the features of one checkpoint on one downstream dataset."""

from dataclasses import replace

from pydantic import Field

from workflow_scripts.core.declaration.facts import File, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.facts import SCORES, VOTES
from workflow_scripts.evaluation.interval_settings import Bootstrap


class Knn(Bootstrap):
    """Weighted nearest neighbours on frozen features (Wu et al. 2018, section 3.4), and statistics of the features:
    RankMe, alignment, uniformity and norm. Nothing is fitted or tuned."""

    neighbours: int = quantity(20, unit="neighbours", ge=1, examples=[5])
    """Nearest images of train and val that vote."""
    temperature: float = Field(0.07, gt=0, examples=[0.1])
    """Temperature of the votes, whose weights are exp(cosine / temperature)."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of the bootstrap, and of the images and pairs drawn."""


def knn(job: Job[Knn]) -> None:
    """Classify the test images by their neighbours in train and val, and describe the features."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation import knn as neighbours
    from workflow_scripts.evaluation.downstream import hits_table, load_downstream
    from workflow_scripts.evaluation.knn import statistics_table

    settings = job.settings
    data = load_downstream(job.input("dataset"), job.input("features"))
    predicted = neighbours.knn(data, settings.neighbours, settings.temperature, job.device)
    write_table(job.file(".parquet"), neighbours.results_table(data, predicted, settings, settings.seed))
    write_table(job.file(".predictions.parquet"), hits_table(data, predicted))
    write_table(job.file(".statistics.parquet"), statistics_table(data, settings.seed))
    job.rows(len(predicted), len(predicted))


STAGE = Stage(
    run=knn, settings=Knn, artifact="{run}.{step}.{dataset}", packages=("numpy", "scipy", "pyarrow"), on_device=True
)

FACTS = replace(
    SCORES,
    files={
        ".parquet": File("accuracy with its interval", VOTES, published=True),
        ".predictions.parquet": File("predicted classes", VOTES),
        ".statistics.parquet": File(
            "RankMe, alignment, uniformity, mean and standard deviation of the norm of the features",
            Tolerance(0.01, 0, "none; last bits"),
            published=True,
        ),
    },
    resources=replace(SCORES.resources, gpu_mb=lambda load: 4_000 + load.labelled * load.features * 4e-6),
    cost=replace(
        SCORES.cost,
        source="measured with 512 columns: 0.15 for 4,000 test images and a bank of 40,000; grows with both",
    ),
    disk=lambda _: 1e6,
    section="evaluation.knn",
)

if __name__ == "__main__":
    run_stage(STAGE)
