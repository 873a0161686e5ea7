"""The final state of every annotation row: kept and lost by reason, host, subreddit and year; and the kept ids."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


def data_card(job: Job[Settings]) -> None:
    """Count all rows of the study, draw the counts, and list the kept ids, so that studies can be compared on them."""
    import json

    from workflow_scripts.acquisition.card.card import card, count_shards, link_rot, write_ids
    from workflow_scripts.acquisition.card.figure import draw
    from workflow_scripts.acquisition.card.lost import write_lost
    from workflow_scripts.captions.diagnostics.survivors import survivors
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    annotations = json.loads(job.input("annotations").path(".json").read_bytes())
    shards = [shard.path(".parquet") for shard in job.inputs("download")]
    tally = count_shards(shards)
    counts = card(annotations, tally) | {"captions": survivors(shards)}
    rot = link_rot(tally)
    job.file(".json").write_bytes(pretty(counts))
    write_table(job.file(".link_rot.parquet"), rot)
    draw(counts, rot.to_pylist(), job.file(".png"))
    write_lost(job.file(".lost_rows.csv"), [job.input("annotations").path(".apart.parquet"), *shards])
    write_ids(job.file(".kept_ids.txt.gz"), tally.kept_ids())
    states = {state: number for state, number in counts["states"].items() if state != "no_row"}
    job.rows(annotations["rows"], states.pop("ok", 0), states)


STAGE = Stage(
    run=data_card,
    artifact="data_card",
    packages=("pyarrow", "matplotlib", "numpy", "scipy"),
)

FACTS = Facts(
    files={
        ".json": File(
            "number of rows by final state, host, subreddit and year; figures of the captions of kept and lost rows",
            published=True,
        ),
        ".link_rot.parquet": File("share of URLs that returned an image, by host and year, with interval"),
        ".lost_rows.csv": File("rows that are not used: id, path or URL, and reason"),
        ".kept_ids.txt.gz": File("sorted ids of the rows with an image, to compare studies on common ids"),
        ".png": File("chart of the counts", published=True),
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.rows * 500),
    cost=Cost(per="row", units=lambda load: load.rows, core_ms=0.1, source="assumed: same as image_index"),
    inputs={"annotations": "annotations/rows", "plan": "shard_plan/plan", "download": "download/*"},
)

if __name__ == "__main__":
    run_stage(STAGE)
