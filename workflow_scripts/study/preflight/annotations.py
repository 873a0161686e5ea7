"""The annotation source: its format, its columns, and whether its first rows can be used."""

import os
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.core.sources import HUB, PACKAGE
from workflow_scripts.study.preflight.findings import Finding, Start


def annotation_findings(start: Start) -> Iterator[Finding]:
    """Problems with the rows that the jobs will read; missing or unreadable sources are found elsewhere."""
    source = start.units.sources_by_name.get("annotations")
    hashed = any(job.unit.get("source") == "annotations" for job in start.jobs if job.stage == "source")
    if source is None or source.is_url or not (hashed or "annotations" in start.stages):
        return
    path = Path(source.at)
    can_read = os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)) and (path.is_dir() or path.is_file())
    if source.at.startswith((HUB, PACKAGE)) or not start.own_python or not can_read:
        return
    from workflow_scripts.acquisition.annotations.preview import look

    rows = start.units.study.annotations
    found = look(path, rows.format, rows.table, rows.images, rows.columns, rows.years)
    if found is not None:
        error, certain = found
        yield Finding(error, certain and (hashed or start.computes("annotations")))
