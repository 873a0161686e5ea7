"""One self-contained HTML page on the study: results, data, captions, pairs, models, and where each number is from."""

from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.reporting.settings import Report

DATA_FILES = (
    "workflow_scripts/reporting/templates/page.html",
    "workflow_scripts/reporting/templates/style.css",
    "workflow_scripts/reporting/templates/macros.html",
    "workflow_scripts/reporting/templates/headline.html",
    "workflow_scripts/reporting/templates/losses.html",
    "workflow_scripts/reporting/templates/captions.html",
    "workflow_scripts/reporting/templates/quality.html",
    "workflow_scripts/reporting/templates/pairs.html",
    "workflow_scripts/reporting/templates/curves.html",
    "workflow_scripts/reporting/templates/accuracy.html",
    "workflow_scripts/reporting/templates/saliency.html",
    "workflow_scripts/reporting/templates/provenance.html",
)
INPUTS = (
    *("annotations", "plan", "data_card", "images", "captions_table", "arms", "caption_quality"),
    *("pairs", "pair_quality", "runs", "datasets", "probe", "few_shot", "saliency", "summary"),
)
ROOT_ONLY = ("source", "world", "download", "recaption", "vectors", "features")


def report(job: Job[Report]) -> None:
    """Gather what the inputs hold and write the page; some inputs count for the study's root hash alone."""
    from workflow_scripts.reporting.contents import page_context
    from workflow_scripts.reporting.page import render

    given = {name: job.inputs(name) for name in INPUTS}
    behind = [artifact for name in ROOT_ONLY for artifact in job.inputs(name)]
    job.file(".html").write_bytes(render(page_context(given, job.settings, behind)))


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(report, Report, argv, packages=("jinja2", "markupsafe", "numpy", "pillow", "pyarrow", "scipy"))


if __name__ == "__main__":
    main()
