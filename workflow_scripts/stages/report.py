"""A self-contained HTML page on the study: results, data, captions, pairs, models, and the source of each number."""

from typing import Any

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.reporting.settings import Report

INPUTS = {
    "annotations": "annotations/rows",
    "plan": "shard_plan/plan",
    "data_card": "data_card/data_card",
    "images": "image_index/images",
    "captions_table": "caption_table/captions",
    "arms": "select_captions/*",
    "caption_quality": "caption_quality/*",
    "caption_comparison": "caption_comparison/*",
    "judge_quality": "judge_quality/*",
    "judge_comparison": "judge_comparison/*",
    "caption_labels": "caption_labels/*",
    "pairs": "pair_table/*",
    "pair_quality": "pair_quality/*",
    "common": "common_images/*",
    "runs": "pretrain/*",
    "datasets": "eval_dataset/*",
    "probe": "linear_probe/*",
    "few_shot": "few_shot/*",
    "knn": "knn/*",
    "saliency": "saliency/*",
    "saliency_checks": "saliency_checks/*",
    "leakage": "leakage/*",
    "summary": "summary/summary",
    "discrimination": "discrimination/*",
}
ROOT_ONLY: dict[str, Any] = {
    "source": lambda units, _: [f"source/{name}" for name in units.needed("source")],
    "world": "demo_world/*",
    "download": "download/*",
    "recaption": "recaption/*",
    "vectors": lambda units, _: [*units.vectors_read(), *units.all("embed_tests"), *units.all("vector_matches")],
    "tokens": lambda units, _: [*units.all("tokenizer"), *units.all("tokens")],
    "eval_images": "eval_images/*",
    "features": "features/*",
    "scores": "score_captions/*",
    "hashes": "image_hashes/*",
}


def report(job: Job[Report]) -> None:
    """Collect the inputs' content and write the page; some inputs only count in the study's root hash."""
    from itertools import chain

    from workflow_scripts.captions.comparison.figures import FIGURES
    from workflow_scripts.evaluation.saliency.maps.kinds import KINDS
    from workflow_scripts.evaluation.saliency.scores import SCORES, explained
    from workflow_scripts.reporting.page import SPEED, computation, files, render, speed_page
    from workflow_scripts.reporting.sections.contents import page_context

    inputs = {name: job.inputs(name) for name in INPUTS}
    root_only = [artifact for name in ROOT_ONLY for artifact in job.inputs(name)]
    meanings = {name: explained(score) for name, score in SCORES.items()}

    maps = {name: vars(kind) for name, kind in KINDS.items()}
    figures = {
        name: vars(figure)
        | {part: getattr(figure, part).replace("subreddit", job.settings.groups) for part in ("title", "summary")}
        for name, figure in FIGURES.items()
    }
    page = page_context(inputs, job.settings, root_only, meanings, maps, figures, job.inputs("scores"))
    job.file(".html").write_bytes(render("page.html", page))
    for name, content in files(page).items():
        job.file(f"/{name}").write_bytes(content)
    artifacts = [*root_only, *chain.from_iterable(inputs.values())]
    took = [(artifact.manifest["stage"], computation(artifact).get("figures", {})) for artifact in artifacts]
    job.beside(SPEED).write_bytes(speed_page(job.settings.study, took))


STAGE = Stage(
    run=report,
    settings=Report,
    artifact="index",
    packages=(
        "fonttools",
        "jinja2",
        "kiwisolver",
        "markupsafe",
        "matplotlib",
        "numpy",
        "pillow",
        "simplejpeg",
        "pyarrow",
        "scipy",
    ),
    data_files=("workflow_scripts/reporting/references.bib", "workflow_scripts/reporting/templates"),
)

FACTS = Facts(
    files={
        ".html": File("one self-contained page", published="always"),
        "/figure-*": File("a figure of the page: SVG, PDF, and its data as CSV", published="always"),
        "/table-*": File("a table of the page: CSV, LaTeX and Markdown", published="always"),
        ".speed.html": File("speed and memory of the stages when the page was made", hashed=False),
    },
    resources=Resources(minutes=60, memory_mb=4_000, data=lambda load: load.rows * 500),
    cost=Cost(per="page", units=lambda _: 1, core_ms=1_000, source="demo study"),
    in_all=True,
    group="page",
    inputs={**INPUTS, **ROOT_ONLY},
    settings=lambda units, _: units.report_settings(),
)

if __name__ == "__main__":
    run_stage(STAGE)
