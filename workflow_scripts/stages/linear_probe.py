"""Linear probes of one checkpoint on all downstream sets."""

from workflow_scripts.core.settings.linear_probe import LinearProbe
from workflow_scripts.core.stage import Job, run_stage


def linear_probe(job: Job[LinearProbe]) -> None:
    """Fit, test and save a probe per set and objective."""
    from workflow_scripts.core.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.heads import save_heads
    from workflow_scripts.evaluation.linear_probe import Plan, probe
    from workflow_scripts.evaluation.probe_tables import predictions_table, results_table

    settings, features = job.settings, job.input("features")
    plan = Plan(**settings.model_dump(exclude={"objectives"}), device=job.device)
    results = []
    for dataset in job.inputs("datasets"):
        data = load_downstream(dataset, features)
        results += [(data, objective, probe(data, objective, plan)) for objective in settings.objectives]
    write_table(job.file(".parquet"), results_table(results))
    predictions = predictions_table(results)
    write_table(job.file(".predictions.parquet"), predictions)
    first = settings.objectives[0]
    heads = {data.name: found.head for data, objective, found in results if objective == first}
    save_heads(job.file(".heads.safetensors"), heads, first)
    job.rows(len(predictions), len(predictions))


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(linear_probe, LinearProbe, argv, packages=("numpy", "scipy", "pyarrow"))


if __name__ == "__main__":
    main()
