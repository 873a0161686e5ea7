"""How well saliency scores and accuracies tell the study's runs apart."""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.evaluation.discrimination.rule import Discrimination


def discrimination(job: Job[Discrimination]) -> None:
    """Variance components, known orderings, and what each metric says beyond the probe, on sets with masks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.core.declaration.result_names import PROBE, probe_objective
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.contrasts.study_scores import read_scores
    from workflow_scripts.evaluation.discrimination.table import DISCRIMINATION, discrimination_rows

    masked = {artifact.unit["dataset"] for artifact in job.inputs("saliency")}
    used = {
        kind: [result for result in job.inputs(kind) if result.unit["dataset"] in masked]
        for kind in ("probe", "knn", "saliency")
    }
    scores = read_scores(used, ()).series
    probe = f"{PROBE}{probe_objective(family for series in scores.values() for family, _ in series)}"
    summary = pq.read_table(job.input("summary").path(".parquet")).to_pylist()
    rows = list(discrimination_rows(scores, summary, probe, job.settings))
    write_table(job.file(".parquet"), pa.Table.from_pylist(rows, DISCRIMINATION))


STAGE = Stage(
    run=discrimination, settings=Discrimination, artifact="discrimination", packages=("numpy", "scipy", "pyarrow")
)

FACTS = Facts(
    files={
        ".parquet": File(
            "by set and metric: variances of models, seeds and images, their ICC, known levels, orderings recovered, "
            "rank correlation with the probe, partial R² beyond it, and the verdict",
            Tolerance(1e-6, 0, "none; as summary"),
            published=True,
        )
    },
    resources=Resources(minutes=60, memory_mb=4_000, data=lambda load: load.tested * 300),
    cost=Cost(per="test item of a checkpoint", units=lambda load: load.labelled, core_ms=0.02, source="as summary"),
    section="evaluation.discrimination",
    group="page",
    names=lambda units: ["discrimination"] if units.names("saliency") else [],
    inputs={"summary": "summary/summary", "probe": "linear_probe/*", "knn": "knn/*", "saliency": "saliency/*"},
    settings=lambda units, _: {"doses": units.doses()},
)

if __name__ == "__main__":
    run_stage(STAGE)
