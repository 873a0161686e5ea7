"""Linear probes of one checkpoint on one downstream dataset."""

from dataclasses import replace

from workflow_scripts.core.declaration.facts import File, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.evaluation.facts import BORDERS, SCORES
from workflow_scripts.evaluation.linear_probe.settings import LinearProbe


def linear_probe(job: Job[LinearProbe]) -> None:
    """Fit and test a probe for each objective; the head of the first one is saved."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import save_head
    from workflow_scripts.evaluation.linear_probe.probe import predictions_table, probe, results_table

    objectives = job.settings.objectives
    data = load_downstream(job.input("dataset"), job.input("features"))
    results = {objective: probe(data, objective, job.settings, job.device) for objective in objectives}
    write_table(job.file(".parquet"), results_table(data, results))
    predictions = predictions_table(data, results)
    write_table(job.file(".predictions.parquet"), predictions)
    save_head(job.file(".head.safetensors"), results[objectives[0]].head, objectives[0])
    job.rows(len(predictions), len(predictions))


STAGE = Stage(
    run=linear_probe,
    settings=LinearProbe,
    artifact="{run}.{step}.{dataset}",
    packages=("numpy", "scipy", "pyarrow"),
    on_device=True,
)

FACTS = replace(
    SCORES,
    files={
        ".parquet": File(
            "accuracies with intervals and C, and the accuracy at a C that all runs have in common",
            BORDERS,
            published=True,
        ),
        ".predictions.parquet": File("predicted classes", BORDERS),
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
