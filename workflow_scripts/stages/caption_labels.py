"""People's ratings of captions: agreement, ratings of the arms, and the worth of the matcher's scores (ITM and ITC)."""

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class CaptionLabels(Settings):
    """How people's ratings are compared with scores."""

    original: str = Field("original", examples=["shuffled"])
    """Arm that the margin keeps."""
    replacement: str = Field("generated", examples=["revised"])
    """Arm that the margin replaces it by."""
    faithful_from: float = Field(2.0, gt=0, le=3, examples=[2.5])
    """Mean rating, of 0 to 3, from which a caption counts as faithful."""
    bootstrap: int = quantity(1000, unit="resamples", ge=100, le=1_000_000, examples=[500])
    """Resamples of images for intervals."""
    seed: int = Field(0, examples=[1])
    """Seed of resamples and folds."""


def caption_labels(job: Job[CaptionLabels]) -> None:
    """Match ratings with the study's captions and scores, and describe them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.labels.reading import images_on_sheets, read_labels
    from workflow_scripts.captions.labels.summary import RELIABILITY, agreement, arm_means, rating_table, score_figures
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table

    settings, folder = job.settings, job.source("labels")
    shown = pc.field("key").isin(pa.array(images_on_sheets(folder), pa.string()))
    captions: dict[tuple[str, str], str] = {}
    scores: dict[str, dict[tuple[str, str], float]] = {}
    for arm in job.inputs("arms"):
        table = pq.read_table(arm.path(".parquet"), filters=shown)
        names = [(key, arm.name) for key in table["key"].to_pylist()]
        captions.update(zip(names, table["caption"].to_pylist(), strict=True))
        for score in (field.name for field in table.schema if pa.types.is_floating(field.type)):
            scored = zip(names, table[score].to_pylist(), strict=True)
            scores.setdefault(score, {}).update((name, value) for name, value in scored if value is not None)
    labels = read_labels(folder, [arm.name for arm in job.inputs("arms")], captions)
    ratings = rating_table(labels, scores)
    figures, curves = {}, []
    for score in scores:
        figures[score], curve = score_figures(ratings, score, (settings.original, settings.replacement), settings)
        curves += curve
    summary = {"agreement": agreement(labels), "arms": arm_means(ratings, settings.bootstrap, settings.seed)}
    write_table(job.file(".parquet"), ratings)
    write_table(job.file(".reliability.parquet"), pa.Table.from_pylist(curves, RELIABILITY))
    job.file(".json").write_bytes(pretty({**summary, "scores": figures}))
    job.rows(labels.rows, labels.rows - labels.dropped.total(), dict(labels.dropped))


STAGE = Stage(
    run=caption_labels,
    settings=CaptionLabels,
    artifact="labels",
    packages=("numpy", "pyarrow", "scipy", "scikit-learn"),
)

FACTS = Facts(
    files={
        ".parquet": File("mean ratings and the matcher's scores (ITM and ITC), by image and arm"),
        ".reliability.parquet": File(
            "reliability curve of each score", Tolerance(1e-4, 0, "none; expected by the solver"), published=True
        ),
        ".json": File(
            "agreement of the raters, ratings of the arms, and figures on each score",
            Tolerance(1e-4, 0, "none"),
            published=True,
        ),
    },
    environment="train",
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 800),
    cost=Cost(per="score", units=lambda _: 2, core_ms=10_000, source="assumed"),
    section="caption_labels",
    sources={"labels": "labels"},
    names=lambda units: ["labels"] if units.study.caption_labels else [],
    inputs={"arms": "select_captions/*"},
)

if __name__ == "__main__":
    run_stage(STAGE)
