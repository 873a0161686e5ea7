"""Finished artifacts that were made by other code or settings than today's, or from sources that changed since.

Snakemake keeps its memory in ``.snakemake``; where that is gone or older than the results (a moved results folder, a
fresh clone) it compares times alone and calls stale results done. The run records know better.
"""

import json
import logging
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.jsonio import digest
from workflow_scripts.core.sources import changed_since_hashed, content_hash, local_path
from workflow_scripts.core.units import Units

log = logging.getLogger(__name__)


def stale_manifests(out: Path, units: Units) -> list[str]:
    """Manifests below ``out`` to make again: recorded code, settings or source content differ from today's."""
    stale = []
    for record_path in sorted(out.glob(f"*/*{RUN}")):
        manifest = record_path.with_name(record_path.name.removesuffix(RUN) + MANIFEST)
        if not manifest.exists():
            continue
        reason = _reason(record_path, manifest, units)
        if reason:
            log.warning("%s: %s; it is made again", manifest, reason)
            stale.append(str(manifest))
    return stale


def _reason(record_path: Path, manifest: Path, units: Units) -> str | None:
    try:
        record: dict[str, Any] = json.loads(record_path.read_bytes())
        stage, unit, code, settings = (record[name] for name in ("stage", "unit", "code", "settings"))
    except (ValueError, KeyError):
        return "its run record is unreadable"
    try:
        today = units.settings(stage, unit)
    except KeyError:
        return None  # not part of today's study; nobody asks for it
    if stage == "source":
        return _source_reason(record, manifest, units)
    if code != code_digest(stage):
        return "made by other code"
    return "made with other settings" if _differ(settings, today) else None


def _differ(recorded: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether a setting of today has another value than recorded; settings left to their default are not in both."""
    return any(name in recorded and recorded[name] != value for name, value in today.items())


def _source_reason(record: dict[str, Any], manifest: Path, units: Units) -> str | None:
    source = units.sources_by_name[record["unit"]["source"]]
    if source.is_url:
        return None
    path, results = local_path(source.at, may_fetch=False), manifest.parents[2]
    if not path.exists() or not changed_since_hashed(path, results):
        return None  # a source that is gone stops nothing that is finished
    files = json.loads(manifest.with_name(manifest.name.removesuffix(MANIFEST) + ".files.json").read_bytes())
    return "the source changed" if content_hash(path, results) != digest(files) else None
