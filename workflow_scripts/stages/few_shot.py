"""Few-shot accuracy of one checkpoint on all downstream sets."""

from workflow_scripts.core.settings.few_shot import FewShot
from workflow_scripts.core.stage import Job, run_stage


def few_shot(job: Job[FewShot]) -> None:
    """Score the same episodes for every checkpoint; sets with fewer than two usable classes are counted apart."""
    from workflow_scripts.core.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.few_shot import few_shot as score
    from workflow_scripts.evaluation.few_shot_tables import episodes_table, results_table

    features, datasets, results = job.input("features"), job.inputs("datasets"), []
    for dataset in datasets:
        data = load_downstream(dataset, features)
        found = score(data, **job.settings.model_dump())
        if found is not None:
            results.append((data, found))
    write_table(job.file(".parquet"), results_table(results))
    write_table(job.file(".episodes.parquet"), episodes_table(results))
    job.rows(len(datasets), len(results), {"under_two_usable_classes": len(datasets) - len(results)})


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(few_shot, FewShot, argv, packages=("numpy", "scipy", "pyarrow"))


if __name__ == "__main__":
    main()
