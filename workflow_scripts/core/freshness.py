"""Finished artifacts that were made by other code or settings than today's, or from sources that changed since.

Snakemake keeps its memory in ``.snakemake``; where that is gone or older than the results (a moved results folder, a
fresh clone) it compares times alone and calls stale results done. The run records know better.
"""

import json
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.accepted import counted_code
from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import canonical, digest
from workflow_scripts.core.memory import unremembered
from workflow_scripts.core.sources import content_hash, local_path

if TYPE_CHECKING:
    from workflow_scripts.core.units import Units

log = logging.getLogger(__name__)


def stale_manifests(out: Path, units: "Units", memory: Path | None = None) -> list[str]:
    """Manifests below ``out`` to make again: recorded code, settings, inputs or source content differ from today's.

    Args:
        memory: where Snakemake keeps its memory; a line says when it is gone or older than the results. None asks for
            no such line.
    """
    stale, made = [], []
    today = cache(manifest_hash)
    for record_path in sorted(out.glob(f"*/*{RUN}")):
        name = record_path.name.removesuffix(RUN)
        manifest = record_path.with_name(name + MANIFEST)
        if not manifest.exists() or not units.holds(record_path.parent.name, name):
            continue
        try:
            record = json.loads(record_path.read_bytes())
            made.append((manifest, str(record.get("start", ""))))
            reason = _reason(record, manifest, units) or _inputs_reason(record, out, today)
        except (ValueError, KeyError, TypeError, AttributeError):
            reason = "its run record is unreadable"
        if reason:
            log.warning("%s: %s; it is made again", manifest, reason)
            stale.append(str(manifest))
    unknown = unremembered(made, memory) if memory is not None else 0
    if unknown:
        log.warning(
            "%s: Snakemake's memory (%s) is missing or older for %d of %d artifacts; their run records were compared "
            "instead, %d of all are made again",
            *(out, memory, unknown, len(made), len(stale)),
        )
    return stale


def _reason(record: dict[str, Any], manifest: Path, units: "Units") -> str | None:
    stage = record["stage"]
    if stage == "source":
        return _source_reason(record, manifest, units)
    if record["code"] != counted_code(stage, manifest.parents[2]):
        return "made by other code"
    differ = other_settings(record, units)
    return f"made with other settings ({'; '.join(differ)})" if differ else None


def other_settings(record: dict[str, Any], units: "Units") -> list[str]:
    """Settings of today that have another value than the run record; those left to their default are not in both."""
    recorded, today = record["settings"], units.settings(record["stage"], record["unit"])
    differ = [name for name, value in today.items() if name in recorded and recorded[name] != value]
    return [f"{name} {canonical(recorded[name])[:60]} then, {canonical(today[name])[:60]} today" for name in differ]


def _source_reason(record: dict[str, Any], manifest: Path, units: "Units") -> str | None:
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


def _inputs_reason(record: dict[str, Any], out: Path, today: Callable[[Path], str]) -> str | None:
    """Whether an input's manifest of today is another than the one that was read."""
    for name, paths in record.get("input_files", {}).items():
        for path, recorded in zip(paths, record["inputs"][name], strict=True):
            manifest = out / Path(path).parent.name / Path(path).name
            if manifest.exists() and today(manifest) != recorded:
                return f"made from another {name}"
    return None
