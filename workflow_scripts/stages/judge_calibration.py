"""How well a judge's scores agree with people's ratings, and the margin that agrees best with them."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.stages.caption_labels import CaptionLabels


class JudgeCalibration(CaptionLabels):
    """How people's ratings are compared with the scores of a judge: as with the matcher's."""


def judge_calibration(job: Job[JudgeCalibration]) -> None:
    """Compare the scores of all rated captions, raw and centred, with the ratings."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.labels.summary import RELIABILITY, score_figures
    from workflow_scripts.captions.score_table import KINDS, score_names
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    settings = job.settings
    ratings = pq.read_table(job.input("ratings").path(".parquet"), columns=["key", "arm", "text", "faithful"])
    rated, parts = pc.field("key").isin(ratings["key"].unique()), []
    for artifact in job.inputs("scores"):
        table = pq.read_table(artifact.path(".parquet"), filters=rated)
        parts.append(table.append_column("arm", pa.repeat(artifact.unit["arm"], len(table))))
    scores = pa.concat_tables(parts)
    order = [("key", "ascending"), ("arm", "ascending")]
    rows, names = ratings.join(scores, ["key", "arm"]).sort_by(order), score_names(scores)
    summary: dict[str, dict[str, object]] = {}
    curves = []
    for name in names:
        for kind in KINDS:
            figures, curve = score_figures(rows, name, (settings.original, settings.replacement), settings, kind)
            summary.setdefault(name, {})[kind] = figures
            curves += curve
    write_table(job.file(".reliability.parquet"), pa.Table.from_pylist(curves, RELIABILITY))
    job.file(".json").write_bytes(pretty(summary))
    unscored = rows[names[0]].null_count
    job.rows(len(rows), len(rows) - unscored, {"unscored": unscored})


STAGE = Stage(
    run=judge_calibration,
    settings=JudgeCalibration,
    artifact="{judge}",
    packages=("numpy", "pyarrow", "scipy", "scikit-learn"),
)

FACTS = Facts(
    files={
        ".reliability.parquet": File(
            "reliability curve of each score, raw and centred (`_centred`)",
            Tolerance(1e-3, 0.005, "none; depends on the scores"),
            published=True,
        ),
        ".json": File(
            "by score, raw and centred: AUC, calibration error, and the margin with the fewest errors",
            Tolerance(1e-3, 0.02, "none; depends on the scores"),
            published=True,
        ),
    },
    environment="train",
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.05, source="assumed"),
    section="caption_labels",
    names=lambda units: units.judges if units.names("caption_labels") else [],
    inputs={
        "ratings": "caption_labels/*",
        "scores": lambda units, unit: units.scores(units.arms, [unit["judge"]]),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
