"""Linear probes of one checkpoint on one downstream set."""

from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.evaluation.settings.linear_probe import LinearProbe


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
