"""The section on methods: prose, settings, and the works that it cites."""

from typing import Any

from workflow_scripts.reporting.methods import Counts, as_text, cited, paragraphs, runs_table, settings_table
from workflow_scripts.reporting.references import references
from workflow_scripts.reporting.study import Study


def counts(study: Study) -> Counts:
    """Rows and years of the study's data."""
    annotations, images = study.one("annotations"), study.one("images")
    summary = study.one("summary")
    known = study.json(annotations) if annotations is not None and annotations.has(".json") else {}
    return Counts(
        annotations=annotations.rows or None if annotations is not None else None,
        images=images.rows or None if images is not None else None,
        years=sorted(known.get("years", {})),
        contrasts=study.table(summary, ".contrasts.parquet") if summary is not None else (),
    )


def methods(study: Study) -> dict[str, Any]:
    """What the template takes: paragraphs, tables of settings and of runs, and cited works."""
    known = study.settings.methods
    text = paragraphs(known, counts(study))
    works = [references()[key] for key in cited(text)]
    return {
        "paragraphs": [(paragraph.title, as_text(paragraph.text)) for paragraph in text],
        "settings": settings_table(known),
        "runs": runs_table(known),
        "references": [f"{work.label}: {work.title}{f', {work.url}' if work.url else ''}" for work in works],
    }
