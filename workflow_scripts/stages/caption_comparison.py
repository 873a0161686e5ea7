"""Figures of the captions of all arms, and their differences from the original captions on the same images."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings


class CaptionComparison(Settings):
    """Which arm the others are compared with."""

    reference: str | None = None
    """Arm that others are compared with; null: none."""
    seed: int = 0
    """Seed of the samples."""


def caption_comparison(job: Job[CaptionComparison]) -> None:
    """Summarise the diagnostics of all arms, and measure the variety of their words and vectors."""
    from pathlib import Path

    from workflow_scripts.captions.comparison.arms import of_columns, of_encoders, of_objects, of_vectors, of_words
    from workflow_scripts.core.files.jsonio import pretty

    options = job.settings
    tables, captions = (
        {artifact.unit["arm"]: artifact.path(".parquet") for artifact in job.inputs(name)}
        for name in ("quality", "captions")
    )
    vectors: dict[str, dict[str, Path]] = {}
    truncated: dict[str, dict[str, Path]] = {}
    for artifact in job.inputs("vectors"):
        encoder, arm = artifact.unit["encoder"], artifact.unit["arm"]
        vectors.setdefault(encoder, {})[arm] = artifact.path(".npy")
        truncated.setdefault(encoder, {})[arm] = artifact.path(".truncated.npy")
    figures = {
        **of_columns(tables, options.reference),
        **of_objects(tables, options.reference),
        **of_words(captions, tables, options.reference, options.seed),
        **of_vectors(vectors, tables, options.reference, options.seed),
        **of_encoders(truncated, tables, options.reference),
    }
    comparison = {"arms": list(tables), "reference": options.reference, "figures": figures}
    job.file(".json").write_bytes(pretty(comparison))


STAGE = Stage(
    run=caption_comparison,
    settings=CaptionComparison,
    artifact="arms",
    packages=("numpy", "scipy", "pyarrow"),
)

FACTS = Facts(
    files={
        ".json": File(
            "by figure and arm: mean with interval, and the paired difference from the original captions",
            Tolerance(1e-4, 0.02, "none; means over the tables of diagnostics"),
            published=True,
        )
    },
    resources=Resources(minutes=60, memory_mb=2_000, data=lambda load: load.images * 1_500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.1, source="assumed"),
    inputs={
        "quality": "caption_quality/*",
        "captions": "select_captions/*",
        "vectors": lambda units, _: [name for name in units.vectors_read() if name.startswith("embed_captions/")],
    },
    settings=lambda units, _: {"reference": units.reference_arm, "seed": units.study.caption_quality.seed},
)

if __name__ == "__main__":
    run_stage(STAGE)
