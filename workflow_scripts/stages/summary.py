"""Every number of the study in one long table, and the named contrasts between its arms."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.evaluation.contrasts.settings import Contrast, Resamples, StandardContrasts, SummaryRun, Table
from workflow_scripts.evaluation.discrimination.rule import Discrimination

if TYPE_CHECKING:
    from workflow_scripts.core.artifact import Artifact
    from workflow_scripts.evaluation.contrasts.endpoints import Endpoint, Sample
    from workflow_scripts.evaluation.contrasts.study_scores import StudyScores


class Summary(Settings):
    """All runs and contrasts of the study."""

    runs: tuple[SummaryRun, ...] = Field(min_length=1)
    """All runs of the study."""
    contrasts: tuple[Contrast, ...] = ()
    """Contrasts besides the standard ones, which they replace."""
    standard_contrasts: bool = StandardContrasts
    bootstrap: int = Resamples
    small: tuple[str, ...] = ()
    """Datasets of small images, which have a mean of their own besides."""
    tables: tuple[Table, ...] = ()
    """Pair tables whose purity contrasts compare."""
    discrimination: Discrimination | None = None
    """Known orderings, where contrasts count those that a metric recovers."""


def summary(job: Job[Summary]) -> None:
    """Collect the scores of all checkpoints; ``.sources.json`` lists the files behind each row."""
    import pyarrow as pa
    from pyarrow import csv

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.contrasts.class_names import common_classes
    from workflow_scripts.evaluation.contrasts.contrasts import CONTRASTS, contrast_rows
    from workflow_scripts.evaluation.contrasts.standard import standard
    from workflow_scripts.evaluation.contrasts.study_scores import ROWS, read_scores, summary_rows, with_lengths

    settings = job.settings
    runs = with_lengths(settings.runs, job.inputs("runs"))
    given = {kind: job.inputs(kind) for kind in ("probe", "few_shot", "knn", "saliency")}
    scores = read_scores(given, job.inputs("leakage"), job.inputs("datasets"))
    usual = standard(settings.runs) if settings.standard_contrasts else ()
    sources: dict[str, object] = {"files": scores.files, "common_classes": common_classes(scores.classes)}
    summarised = list(summary_rows(scores, runs))
    endpoints = list(_endpoints(job, scores, [row for row, _ in summarised], runs))
    contrasts = contrast_rows(scores, runs, settings.contrasts, settings.bootstrap, usual, settings.small, endpoints)
    for suffix, schema, rows in (("", ROWS, summarised), (".contrasts", CONTRASTS, list(contrasts))):
        table = pa.Table.from_pylist([row for row, _ in rows], schema)
        write_table(job.file(f"{suffix}.parquet"), table)
        csv.write_csv(table, job.file(f"{suffix}.csv"))
        sources[suffix.removeprefix(".") or "rows"] = [files for _, files in rows]
    job.file(".sources.json").write_text(json.dumps(sources, sort_keys=True) + "\n")


def _endpoints(
    job: Job[Summary], scores: "StudyScores", rows: Sequence[dict[str, Any]], runs: Sequence[SummaryRun]
) -> "Iterator[tuple[Contrast, Endpoint]]":
    """The figures of the contrasts that compare no runs."""
    from workflow_scripts.core.files.jsonio import read_json
    from workflow_scripts.evaluation.contrasts.endpoints import orderings, stored, weighted_means

    settings = job.settings
    for contrast in settings.contrasts:
        if contrast.endpoint == "orderings":
            rule = settings.discrimination or Discrimination()
            yield contrast, orderings(scores, rows, runs, contrast.metric, rule, settings.bootstrap)
        elif contrast.endpoint == "flips":
            choices = next(one for one in job.inputs("choices") if one.unit["arm"] == contrast.minuend)
            judged = read_json(choices.path(".json"), "compute this artifact again")["judges"][contrast.judge]
            name = contrast.metric or next(iter(judged))
            file = scores.add_file(choices, ".json")
            yield contrast, stored(f"flips.{contrast.judge}.{name}", judged[name]["replaced_by_style"], [file])
        elif not contrast.of_runs:
            name, samples, made = _samples(job, contrast)
            files = [scores.add_file(artifact, ".parquet") for artifact in made]
            yield contrast, weighted_means(name, samples, files, paired=contrast.endpoint == "caption_score")


def _samples(job: Job[Summary], contrast: Contrast) -> "tuple[str, list[Sample], list[Artifact]]":
    """Name of the metric; of each pair table or arm, what its term averages; and the artifacts that it is from."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.captions.score_table import KINDS, by_halves, score_names
    from workflow_scripts.evaluation.contrasts.endpoints import Sample

    made: dict[Table, list[Artifact]] = {}
    tables = {table.pairs: table for table in job.settings.tables}
    for artifact in job.inputs("scores" if contrast.judge else "pairs"):
        unit = artifact.unit
        if unit.get("judge") == contrast.judge:
            made.setdefault(Table(arm=unit["arm"]) if contrast.judge else tables[unit["pairs"]], []).append(artifact)
    name, samples, used = "pair_purity", [], []
    for weight, term in contrast.cells:
        matching = [artifacts for one, artifacts in made.items() if term.matches(one)]
        for artifacts in matching:
            table = pa.concat_tables(pq.read_table(artifact.path(".parquet")) for artifact in artifacts)
            if contrast.judge:
                score = contrast.metric or score_names(table)[0]
                name, images = f"caption_score.{contrast.judge}.{score}", table["key"]
                values = by_halves(table, score, KINDS["centred"])
            else:
                values, images = table["same_label"].cast(pa.float64()).to_numpy()[None], table["source"]
            known = ~np.isnan(values[0])
            samples.append(Sample(weight / len(matching), values[:, known], images.filter(pa.array(known))))
            used += artifacts
    return name, samples, used


STAGE = Stage(run=summary, settings=Summary, artifact="summary", packages=("numpy", "scipy", "pyarrow"))

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
        "pairs": lambda units, _: [f"pair_quality/{table.pairs}" for table in units.tables_compared()],
        "scores": lambda units, _: units.scores_compared(),
        "choices": lambda units, _: sorted(
            {f"judge_comparison/{one.minuend}" for one in units.study.contrasts if one.endpoint == "flips"}
        ),
    },
    settings=lambda units, _: units.summary_settings(),
)

if __name__ == "__main__":
    run_stage(STAGE)
