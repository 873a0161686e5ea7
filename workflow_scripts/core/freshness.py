"""Finished artifacts that were made by other code or settings than today's, or from sources that changed since.

Snakemake keeps its memory in ``.snakemake``; where that is gone or older than the results (a moved results folder, a
fresh clone) it compares times alone and calls stale results done. The run records know better.
"""

import json
import logging
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import digest
from workflow_scripts.core.sources import content_hash, local_path
from workflow_scripts.core.units import Units

log = logging.getLogger(__name__)


def stale_manifests(out: Path, units: Units) -> list[str]:
    """Manifests below ``out`` to make again: recorded code, settings or source content differ from today's."""
    stale = []
    for record_path in sorted(out.glob(f"*/*{RUN}")):
        manifest = record_path.with_name(record_path.name.removesuffix(RUN) + MANIFEST)
        if not manifest.exists():
            continue
        reason = _reason(record_path, manifest, units) or _inputs_reason(record_path, out)
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
    files = json.loads(manifest.with_name(manifest.name.removesuffix(MANIFEST) + ".files.json").read_bytes())
    if source.is_url:
        return "another sha256 is wanted" if files[0]["sha256"] != source.sha256 else None
    try:
        path = local_path(source.at, may_fetch=False)
        now = content_hash(path, manifest.parents[2])
    except PipelineError:
        return None  # a source that is gone stops nothing that is finished
    return "the source changed" if now != digest(files) else None


def _inputs_reason(record_path: Path, out: Path) -> str | None:
    """Whether an input's manifest of today is another than the one that was read."""
    record: dict[str, Any] = json.loads(record_path.read_bytes())
    for name, paths in record.get("input_files", {}).items():
        for path, recorded in zip(paths, record["inputs"][name], strict=True):
            today = out / Path(path).parent.name / Path(path).name
            if today.exists() and manifest_hash(today) != recorded:
                return f"made from another {name}"
    return None
