"""Every number of the study in one long table, and the named contrasts between its arms."""

import json

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.contrasts.settings import Contrast, Resamples, StandardContrasts, SummaryRun


class Summary(Settings):
    """All runs and contrasts of the study."""

    runs: tuple[SummaryRun, ...] = Field(min_length=1, description="all runs of the study")
    contrasts: tuple[Contrast, ...] = Field((), description="contrasts besides the standard ones, which they replace")
    standard_contrasts: bool = StandardContrasts
    bootstrap: int = Resamples
    small: tuple[str, ...] = Field((), description="datasets of small images, which have a mean of their own besides")


def summary(job: Job[Summary]) -> None:
    """Collect the scores of all checkpoints; ``.sources.json`` lists the files behind each row."""
    import pyarrow as pa
    from pyarrow import csv

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.contrasts.class_names import common_classes
    from workflow_scripts.evaluation.contrasts.contrasts import CONTRASTS, contrast_rows
    from workflow_scripts.evaluation.contrasts.standard import standard
    from workflow_scripts.evaluation.contrasts.study_scores import (
        READERS,
        ROWS,
        read_scores,
        summary_rows,
        with_lengths,
    )

    settings = job.settings
    runs = with_lengths(settings.runs, job.inputs("runs"))
    scores = read_scores({kind: job.inputs(kind) for kind in READERS}, job.inputs("leakage"), job.inputs("datasets"))
    usual = standard(settings.runs) if settings.standard_contrasts else ()
    sources: dict[str, object] = {"files": scores.files, "common_classes": common_classes(scores.classes)}
    contrasts = contrast_rows(scores, runs, settings.contrasts, settings.bootstrap, usual, settings.small)
    for suffix, schema, rows in (
        ("", ROWS, list(summary_rows(scores, runs))),
        (".contrasts", CONTRASTS, list(contrasts)),
    ):
        table = pa.Table.from_pylist([row for row, _ in rows], schema)
        write_table(job.file(f"{suffix}.parquet"), table)
        csv.write_csv(table, job.file(f"{suffix}.csv"))
        sources[suffix.removeprefix(".") or "rows"] = [files for _, files in rows]
    job.file(".sources.json").write_text(json.dumps(sources, sort_keys=True) + "\n")


STAGE = Stage(
    run=summary,
    settings=Summary,
    artifact="summary",
    packages=("numpy", "scipy", "pyarrow"),
)

FACTS = Facts(
    files={
        ".parquet": File(
            "run, method, pairs, augmentation, seed, step, dataset, metric, value, low, high, n; then the run's tag, "
            "backbone, batch size, steps, views per pair, budget (the product of these three) and epochs; the "
            "reported set that chose the checkpoint, which means over sets leave out",
            Tolerance(1e-9, 0, "2e-16"),
            published=True,
        ),
        ".csv": File("the same as CSV", Tolerance(1e-9, 0, "2e-16"), published=True),
        ".contrasts.parquet": File("named contrasts", Tolerance(1e-9, 0, "2e-16"), published=True),
        ".contrasts.csv": File("the same as CSV", Tolerance(1e-9, 0, "2e-16"), published=True),
        ".sources.json": File("the files behind each row, and the classes that sets have in common", published=True),
    },
    environment="core",
    resources=Resources(minutes=60, memory_mb=4_000, data=lambda load: load.tested * 300),
    cost=Cost(
        per="test item of a checkpoint",
        units=lambda load: load.labelled,
        core_ms=0.02,
        source="demo study, upper bound",
    ),
    group="page",
    inputs={
        "runs": "pretrain/*",
        "probe": "linear_probe/*",
        "few_shot": "few_shot/*",
        "knn": "knn/*",
        "saliency": "saliency/*",
        "leakage": "leakage/*",
        "datasets": "eval_dataset/*",
    },
    settings=lambda units, _: units.summary_settings(),
)

if __name__ == "__main__":
    run_stage(STAGE)
