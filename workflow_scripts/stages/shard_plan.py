"""Which annotation row goes to which shard."""

from workflow_scripts.acquisition.settings.shard_plan import ShardPlan
from workflow_scripts.core.stage import Job, run_stage


def shard_plan(job: Job[ShardPlan]) -> None:
    """Deal the kept rows out to shards."""
    from workflow_scripts.acquisition.shards.plan import plan
    from workflow_scripts.core.files.jsonio import pretty

    rows = job.input("annotations").path(".parquet")
    made = plan(rows, **job.settings.model_dump(), out=job.file(".parquet"))
    job.file(".json").write_bytes(pretty(made))
    job.rows(sum(made["rows"]), sum(made["rows"]))


def main(argv: list[str] | None = None) -> None:
    """Entry point of the stage."""
    run_stage(shard_plan, ShardPlan, argv, packages=("pyarrow",))


if __name__ == "__main__":
    main()
