"""What became of every annotation row: kept and lost per reason, host, subreddit and year."""

from workflow_scripts.core.settings.data_card import DataCard
from workflow_scripts.core.stage import Job, run_stage


def data_card(job: Job[DataCard]) -> None:
    """Count all rows of the study and draw the counts."""
    import json

    from workflow_scripts.acquisition.card import card
    from workflow_scripts.acquisition.card_figure import draw
    from workflow_scripts.core.jsonio import pretty

    annotations = json.loads(job.input("annotations").path(".json").read_bytes())
    tables = [shard.path(".parquet") for shard in job.inputs("download")]
    made = card(annotations, tables, job.settings.confidence)
    job.file(".json").write_bytes(pretty(made))
    draw(made, job.file(".png"), job.settings.hosts_shown)
    states = dict(made["states"])
    job.rows(made["rows"], states.pop("ok", 0), states)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the stage."""
    run_stage(data_card, DataCard, argv, packages=("pyarrow", "matplotlib"))


if __name__ == "__main__":
    main()
