"""Linear probes of one checkpoint on one downstream set."""

from typing import Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage


class LinearProbe(Settings):
    """L-BFGS on frozen features; C is chosen on the validation split."""

    objectives: tuple[Literal["sklearn", "lgssl"], ...] = Field(
        ("sklearn", "lgssl"),
        min_length=1,
        description="sklearn: sum CE + ||W||^2/(2C), as scikit-learn and CLIP; lgssl: mean CE + ||W||/(2C), the norm "
        "not squared, as the original code. Heads are saved of the first one",
    )
    costs: tuple[float, ...] = Field(
        (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6), min_length=1, description="first grid of C (CLIP's)"
    )
    fine_points: int = Field(29, ge=1, description="points of the second grid, four decades around the best C")
    max_iter: int = Field(1000, ge=1, description="L-BFGS iterations of one fit (the original's and CLIP's 1,000)")
    tolerance: float = Field(1e-5, gt=0, description="a fit ends at this largest gradient entry of the mean objective")
    standardise: bool = Field(False, description="scale features by the fitted rows' mean and deviation (original: no)")
    resamples: int = Field(2000, ge=100, description="bootstrap resamples for mean per class")
    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the intervals")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")

    @model_validator(mode="after")
    def _positive_costs(self) -> "LinearProbe":
        if min(self.costs) <= 0:
            raise ValueError(f"costs must be positive, the smallest is {min(self.costs)}")
        return self


def linear_probe(job: Job[LinearProbe]) -> None:
    """Fit and test a probe per objective; the head of the first one is saved."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import save_head
    from workflow_scripts.evaluation.linear_probe.probe import Plan, probe
    from workflow_scripts.evaluation.linear_probe.tables import predictions_table, results_table

    settings = job.settings
    plan = Plan(**settings.model_dump(exclude={"objectives"}), device=job.device)
    data = load_downstream(job.input("dataset"), job.input("features"))
    results = [(data, objective, probe(data, objective, plan)) for objective in settings.objectives]
    write_table(job.file(".parquet"), results_table(results))
    predictions = predictions_table(results)
    write_table(job.file(".predictions.parquet"), predictions)
    _, first, found = results[0]
    save_head(job.file(".head.safetensors"), found.head, first)
    job.rows(len(predictions), len(predictions))


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(linear_probe, LinearProbe, argv, packages=("numpy", "scipy", "pyarrow"))


if __name__ == "__main__":
    main()
