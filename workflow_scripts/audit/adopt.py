"""Adopt, under the current key, artifacts whose settings an earlier release wrote differently.

Nothing is computed: the artifact's verified bytes become a cache entry under today's key too, and its run record says
from which key and settings it was adopted, when, and why.
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import discard, key_lock, link, lookup
from workflow_scripts.core.code_equivalence import counted_code
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.files.names import cache_entry, work_folder
from workflow_scripts.core.files.seal import is_intact
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.publish import Staging, publish
from workflow_scripts.core.runtime.clock import now
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.provenance import lineage
from workflow_scripts.provenance.nodes import Node, input_path, load
from workflow_scripts.study.active_config import units_of
from workflow_scripts.study.freshness import other_settings
from workflow_scripts.study.history import rewritten
from workflow_scripts.study.stages import declaration


def adopt(results: Path, stage: str, reason: str) -> list[str]:
    """Adopt all artifacts of ``stage`` that current studies can use unchanged; returns messages.

    Raises:
        PipelineError: a current config or a data file is faulty.
    """
    lines, adopted = [], 0
    for node, settings in candidates(results, stage):
        inputs, other = _current_inputs(node, results)
        lacking = _lacking(node, settings, results) or other
        if lacking:
            lines.append(f"{node.study.name}/{node.label} is not adopted: {lacking}")
        else:
            _take_over(node, settings, inputs, reason)
            adopted += 1
    return [f"{adopted} artifacts of {stage} are adopted", *lines] if adopted or lines else []


def candidates(results: Path, stage: str) -> list[tuple[Node, dict[str, Any]]]:
    """Artifacts of the current studies whose settings an earlier release recorded, with their current settings."""
    units, found = {}, []
    for node in load(results):
        record = node.record
        if node.stage != stage or record is None:
            continue
        if not {"settings", "unit", "code"} <= record.keys():
            raise PipelineError(
                "damaged run record", node.record_path, "it lacks settings, unit or code", "see faithful-pairs audit"
            )
        if rewritten(stage, record["settings"]) == record["settings"]:
            continue
        study = node.study.name
        if study not in units:
            units[study] = units_of(results, study)
        known = units[study]
        if known is not None and known.holds(stage, node.name):
            found.append((node, known.settings(stage, record["unit"])))
    return found


def _lacking(node: Node, settings: dict[str, Any], results: Path) -> str | None:
    """Why the current study can't use the artifact unchanged; None if it can."""
    record = node.record or {}
    if not is_intact(record):
        return "its run record was edited; see faithful-pairs audit"
    if record["code"] != counted_code(node.stage, results):
        return "it was made by code that is neither current nor accepted"
    then = rewritten(node.stage, record["settings"])
    if node.stage == "pretrain":
        wanted = Pretrain.model_validate(settings)
        kept = [f"/{wanted.checkpoint_name(step)}.safetensors" for step in wanted.kept]
        missing = [suffix for suffix in kept if suffix not in node.files]
        if missing:
            names = ", ".join(suffix.removeprefix("/").removesuffix(".safetensors") for suffix in missing)
            best = isinstance(then["probe"], dict) and not then["probe"]["keep_best"]
            stated = f"{canonical(then['checkpoints'])}{' and pretraining.probe.keep_best to false' if best else ''}"
            return f"it lacks {names}; to adopt it, set pretraining.checkpoints to {stated}"
        then["checkpoints"] = settings["checkpoints"]  # it may hold more than is wanted
        if then["probe"] and settings["probe"]:
            then["probe"] = {**then["probe"], "keep_best": settings["probe"]["keep_best"]}
    differ = other_settings({"settings": then}, node.stage, settings)
    return f"other settings ({'; '.join(differ)})" if differ else None


def _current_inputs(node: Node, results: Path) -> tuple[dict[str, list[str]], str | None]:
    """Hashes of the artifact's inputs as they are today, and why one of them is another, or None."""
    record = node.record or {}
    inputs = {name: list(hashes) for name, hashes in record["inputs"].items()}
    for name, files in record["input_files"].items():
        for number, file in enumerate(files):
            path = input_path(node, file)
            if not path.exists():
                return inputs, f"its input {path} is missing; compute it first"
            now_hash, then_hash = Artifact(path).hash, inputs[name][number]
            if now_hash != then_hash:
                older = next((one for one in lineage.load(results) if one.hash == then_hash), None)
                if older is None or not _holds(Artifact(path), older):
                    return inputs, f"its input {name} has changed"
                inputs[name][number] = now_hash
    return inputs, None


def _holds(today: Artifact, older: lineage.Made) -> bool:
    """Whether the current input still contains everything it had then: newer code may only have added columns."""
    for suffix, recorded in older.manifest["files"].items():
        if not today.has(suffix):
            return False
        if today.manifest["files"][suffix]["sha256"] == recorded["sha256"]:
            continue
        if not suffix.endswith(".parquet") or not older.file(suffix).exists():
            return False
        before, after = pq.read_table(older.file(suffix)), pq.read_table(today.path(suffix))
        if not set(before.column_names) <= set(after.column_names):
            return False
        if not after.select(before.column_names).equals(before):
            return False
    return True


def _take_over(node: Node, settings: dict[str, Any], inputs: dict[str, list[str]], reason: str) -> None:
    """Create the cache entry for the current key from the artifact's files, and publish it in place of the artifact."""
    results, artifact, made = node.study.parent, Artifact(node.path), dict(node.computation or {})
    unit = node.manifest["unit"]
    stage = declaration(node.stage)
    in_key, read = (settings, inputs) if stage is None else (stage.in_key(settings), stage.in_key(inputs))
    key = artifact_key(node.stage, unit, made["code"], in_key, read, made["environment"])
    before = {"key": made["key"], "settings": made["settings"], "inputs": made["inputs"]}
    record = {
        **{name: value for name, value in made.items() if name not in ("cached", "original")},
        **{"key": key, "settings": settings, "not_in_key": sorted(settings.keys() - in_key.keys())},
        **{"inputs": inputs, "adopted": {**before, "reason": reason, "when": now()}},
    }
    if "accepted" in (node.record or {}):
        record["accepted"] = (node.record or {})["accepted"]
    entry, path = cache_entry(results, node.stage, key), node.path.with_name(node.name)
    with key_lock(work_folder(results, node.stage, key)) as alone:
        if lookup(entry) is None:
            discard(entry)
            staging = Staging(path)
            staging.open(results, node.stage, key, alone)
            for suffix in artifact.suffixes:
                link(artifact.path(suffix), staging.file(suffix))
            manifest, _ = staging.seal(entry, unit, artifact.rows, record)
            if manifest != node.manifest:
                raise PipelineError(
                    "files differ from their manifest", node.path, "not adopted", "see faithful-pairs audit"
                )
        if not publish(entry, path, node.manifest, record, ours=True):
            raise PipelineError("missing cache entry", entry, "it was removed", "run the same command again")
