"""One caption per image for an arm."""

from workflow_scripts.captions.settings.select_captions import SelectCaptions
from workflow_scripts.core.stage import Job, run_stage


def select_captions(job: Job[SelectCaptions]) -> None:
    """Apply the arm's rule to the caption table."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arms import select
    from workflow_scripts.captions.arms.caption_file import read_captions
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    options = job.settings
    table = pq.read_table(job.input("captions").path(".parquet"))
    if options.kind == "external":
        source = job.source("external")
        given = read_captions(source, table["key"])
        arm = select.external(table, given, options.max_missing_share, source)
    else:
        named = options.kind if options.kind in ("original", "generated", "revised") else options.base
        rules = {
            "original": lambda: select.original(table),
            "generated": lambda: select.generated(table),
            "revised": lambda: select.revised(table, options.margin, options.threshold),
        }
        arm = rules[named]()
        if options.kind == "shuffled":
            arm = select.shuffled(arm, options.seed)
        if options.kind == "mixed":
            arm = select.mixed(arm, options.share, options.seed)
    write_table(job.file(".parquet"), arm)
    job.file(".json").write_bytes(pretty({"kind": options.kind, **select.counts(arm, table)}))
    job.rows(len(table), len(arm))


def main(argv: list[str] | None = None) -> None:
    """Run the stage from the command line."""
    run_stage(select_captions, SelectCaptions, argv, packages=("numpy", "pyarrow"))


if __name__ == "__main__":
    main()
