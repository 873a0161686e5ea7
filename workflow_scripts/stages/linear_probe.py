"""Linear probes of one checkpoint on one downstream dataset."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import File, Tolerance
from workflow_scripts.core.runtime.precision import DOUBLE
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.facts import SCORES
from workflow_scripts.evaluation.interval_settings import Bootstrap


class LinearProbe(Bootstrap):
    """Logistic regression on frozen features by L-BFGS; C is chosen without the test split, ties by log-loss."""

    objectives: tuple[Literal["sklearn", "lgssl"], ...] = Field(
        ("sklearn", "lgssl"),
        min_length=1,
        description="objectives that are minimised. sklearn: sum of cross-entropies + ||W||^2/(2C), as in scikit-learn "
        "and CLIP; lgssl: mean cross-entropy + ||W||/(2C), with the norm not squared, as in the original code. The "
        "head of the first one is saved",
        examples=[["sklearn"]],
    )
    costs: tuple[float, ...] = Field(
        (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6),
        min_length=1,
        description="first grid of C; the default is CLIP's",
        examples=[[0.01, 1.0, 100.0]],
    )
    fine_points: int = quantity(
        29,
        unit="points",
        ge=1,
        description="points of the second grid, which spans four decades around the best C",
        examples=[9],
    )
    max_iter: int = quantity(
        1000,
        unit="iterations",
        ge=1,
        description="maximum number of L-BFGS iterations of a fit; the original and CLIP use 1,000",
        examples=[300],
    )
    least_validation: int = quantity(
        2000,
        unit="images",
        ge=0,
        description="fewest validation images by which C is chosen; with fewer, it is chosen by `folds` over train and "
        "val together. 0: always by the validation split",
        examples=[0],
    )
    folds: int = quantity(
        5,
        unit="parts",
        ge=2,
        description="parts of train and val, each of which is held out once to choose C",
        examples=[10],
    )
    common_costs: dict[Literal["sklearn", "lgssl"], Annotated[float, Field(gt=0)]] = Field(
        {"sklearn": 1.0, "lgssl": 30.0},
        description="C, the same for all runs, at which each objective is tested as well, to show whether a result "
        "depends on the choice of C",
        examples=[{"sklearn": 0.316, "lgssl": 100.0}],
    )
    seed: int = Field(0, ge=0, description="seed of the bootstrap and of the folds", examples=[1])

    @model_validator(mode="after")
    def _consistent(self) -> "LinearProbe":
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives are repeated: {', '.join(self.objectives)}; each is fitted once")
        if missing := set(self.objectives) - set(self.common_costs):
            raise ValueError(f"common_costs lacks {', '.join(sorted(missing))}")
        if min(self.costs) <= 0:
            raise ValueError(f"costs must be positive; the smallest is {min(self.costs)}")
        return self


def linear_probe(job: Job[LinearProbe]) -> None:
    """Fit and test a probe for each objective; the head of the first one is saved."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.downstream import Resampling, load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import save_head
    from workflow_scripts.evaluation.linear_probe.probe import Plan, predictions_table, probe, results_table

    settings = job.settings
    resampling = Resampling(settings.resamples, settings.level, settings.seed)
    fitted = settings.model_dump(exclude={"objectives", *Resampling._fields})
    plan = Plan(**fitted, resampling=resampling, device=job.device)
    data = load_downstream(job.input("dataset"), job.input("features"))
    results = {objective: probe(data, objective, plan) for objective in settings.objectives}
    write_table(job.file(".parquet"), results_table(data, results))
    predictions = predictions_table(data, results)
    write_table(job.file(".predictions.parquet"), predictions)
    first = settings.objectives[0]
    save_head(job.file(".head.safetensors"), results[first].head, first)
    job.rows(len(predictions), len(predictions))


STAGE = Stage(
    run=linear_probe,
    settings=LinearProbe,
    artifact="{run}.{step}.{dataset}",
    packages=("numpy", "scipy", "pyarrow"),
    on_device=True,
    precision=DOUBLE,
)

FACTS = replace(
    SCORES,
    files={
        ".parquet": File(
            "accuracies with intervals and C, and the accuracy at a C that all runs have in common",
            Tolerance(0.01, 0.01, "none; items on the border of two classes"),
            published=True,
        ),
        ".predictions.parquet": File(
            "predicted classes", Tolerance(0.01, 0.01, "none; items on the border of two classes")
        ),
        ".head.safetensors": File(
            "the head of the first objective", Tolerance(0.01, 0, "none; the fit ends at a small gradient")
        ),
    },
    resources=replace(
        SCORES.resources,
        minutes=60,
        gpu_mb=lambda load: 2_000 + load.labelled * load.features * 1.4e-5,  # float64, and copies of parts
    ),
    cost=replace(SCORES.cost, core_ms=2.0, source="demo study: 4,408 rows of 128 columns in 2 s; here 512 columns"),
    section="evaluation.linear_probe",
)

if __name__ == "__main__":
    run_stage(STAGE)
