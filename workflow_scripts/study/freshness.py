"""Which artifacts must be recomputed, by comparing their run records with the current study.

The run records decide, not Snakemake's metadata (``.snakemake``) and not file times: what an artifact was made from is
compared with what it would be made from now, for each part of its key (:mod:`workflow_scripts.core.key`). So results
that were moved, copied or cloned without that metadata are planned as before.

Versions of packages are in the key but not compared here: an upgrade alone recomputes nothing; ``diff`` shows them.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from workflow_scripts.core.artifact import MANIFEST, RUN, label_of, manifest_hash
from workflow_scripts.core.code_equivalence import counted_code
from workflow_scripts.core.digest import PACKAGE, Uses, code_parts
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.jsonio import canonical, digest
from workflow_scripts.core.files.names import CACHE, ENTRY_MANIFEST, ENTRY_RECORD
from workflow_scripts.core.record import load_manifest, load_recipe
from workflow_scripts.core.runtime.environment import environment
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.core.sources import LISTING, content_hash, local_path, read_listing
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.terminal.lines import wrapped
from workflow_scripts.study.units import PlannedJob, Units

log = logging.getLogger(__name__)
Record = dict[str, Any]
TRIGGERS = frozenset({"params", "code", "input"})  # all that can change a key
MOST_TOLD = 3  # values of an object, or parts of code, in a message
COMPARED = {"code", "settings", "inputs", "input_files", "environment"}  # fields of a run record


class Freshness:
    """The check of one study.

    Args:
        results: the results folder.
        units: the current study.
    """

    def __init__(self, results: Path, units: Units) -> None:
        self.results, self.units = results, units
        self.reasons: dict[str, str] = {}  # manifest -> why it is stale
        self._seconds: dict[str, float] = {}  # manifest -> how long its computation took
        self._wanted: dict[str, str] = {}  # manifest -> its hash, as recorded by its consumers
        self._hash = cache(_hash_of)
        self._code = cache(lambda stage, uses: counted_code(stage, results, uses))
        self._cached = cache(lambda stage: _cache_records(results, stage))

    def decide(self, jobs: Sequence[PlannedJob], triggers: frozenset[str]) -> dict[PlannedJob, bool]:
        """For each job with an artifact: whether it must run on its own account.

        Args:
            jobs: all jobs, inputs first.
            triggers: names of ``--rerun-triggers``. Without ``params``, ``code`` or ``input`` a change of settings,
                device and threads, of code, or of the set of inputs is ignored; changed content of an input always
                counts.

        Raises:
            OSError: a manifest or run record exists but can't be read.
        """
        verdicts, read = {}, set[str]()
        for job in reversed(jobs):  # consumers record which artifact they read
            manifest = next((path for path in job.outputs if path.endswith(MANIFEST)), None)
            if manifest is not None:
                reason = self.other_key(job, manifest, triggers)
                if reason is None and manifest not in read:
                    reason = _incomplete(Path(manifest))
                read.update(*job.inputs.values() if job.requested else ())
                if reason is not None:
                    self.reasons[manifest] = reason
                verdicts[job] = reason is not None
        return verdicts

    def tell(self, jobs: Sequence[PlannedJob], dry_run: bool) -> None:
        """Log which of the jobs will run because their artifact is stale, and why."""
        for line in self.stale(jobs):
            log.warning("%s", "\n".join(wrapped(f"{line}; recomputed")))

    def stale(self, jobs: Iterable[PlannedJob]) -> list[str]:
        """The stale artifacts of these jobs by stage and reason, and how long it took to compute them."""
        told: dict[tuple[str, str], list[str]] = {}
        for job in jobs:
            for path in self.reasons.keys() & job.outputs:
                told.setdefault((job.stage, self.reasons[path]), []).append(path)
        lines = []
        for (stage, reason), paths in told.items():
            what = paths[0] if len(paths) == 1 else f"{len(paths)} artifacts of {stage} ({paths[0]}, ...)"
            seconds = sum(self._seconds.get(path, 0.0) for path in paths)
            lines.append(f"{what}: {reason}{f'; took {span(seconds)} to compute' if seconds >= 1 else ''}")
        return lines

    def other_key(self, job: PlannedJob, manifest: str, triggers: frozenset[str]) -> str | None:
        """Why the artifact's key would be another one now, as far as the triggers count; None if it would not."""
        path = Path(manifest)
        present = path.exists()
        record = _record(path.with_name(path.name.removesuffix(MANIFEST) + RUN)) if present else None
        if record is None:
            known = self._hash(manifest) if present else self._wanted.get(manifest)
            if known is None:
                return None  # never computed, as far as known; it runs if something needs it
            record = self._cached(job.stage).get(known)
            if record is None:
                return "its run record is missing or unreadable" if present else "it is missing, and not in the cache"
        if not record.keys() >= COMPARED:
            return "its run record is damaged"
        self._seconds[manifest] = record.get("seconds", 0.0)
        return self._difference(record, job, path, triggers)

    def _difference(self, record: Record, job: PlannedJob, path: Path, triggers: frozenset[str]) -> str | None:
        """The first part of the key that differs; also notes which inputs the record names."""
        others, content = self._inputs(record, job)
        stage, settings = declaration(job.stage), self.units.settings(job.stage, job.unit)
        uses = stage.uses(settings) if stage else ()
        if "code" in triggers and record["code"] != self._code(job.stage, uses):
            return f"made by other code{_edited(record, job.stage, uses)}"
        if "params" in triggers:
            differ = other_settings(record, job.stage, settings)
            if differ:
                return f"made with other settings ({'; '.join(differ)})"
            if stage is not None and not stage.by_content and (where := self._other_environment(record, stage)):
                return where
        if "input" in triggers and others:
            return others
        if job.stage == "source" and path.exists():
            return self._other_source(job, path)
        return content

    def _other_environment(self, record: Record, stage: Stage) -> str | None:
        compute, recorded = self.units.study.compute, record["environment"]
        device = stage.device(compute.device)
        if device not in ("auto", recorded["device"]):
            return f"computed on {recorded['device']}, but the config says {device}"
        if recorded["threads"] != compute.math_threads:
            return f"computed with {recorded['threads']} math threads, but the config says {compute.math_threads}"
        return None

    def _inputs(self, record: Record, job: PlannedJob) -> tuple[str | None, str | None]:
        """How the inputs differ, by name and by content. A missing input is compared by name."""
        others = content = None
        recorded = {name: hashes for name, hashes in record["inputs"].items() if record["input_files"].get(name)}
        stage = declaration(job.stage)
        aside = frozenset[str]() if stage is None else stage.not_in_key
        for name in sorted((recorded.keys() | job.inputs.keys()) - aside):
            paths, hashes = job.inputs.get(name, []), recorded.get(name, [])
            labels = [label_of(Path(path)) for path in record["input_files"].get(name, [])]
            if len(paths) != len(hashes):
                others = others or f"made from other inputs ({name}: {len(hashes)} then, {len(paths)} today)"
            for path, label, then in zip(paths, labels, hashes, strict=False):
                now = self._hash(path)
                if now is None and label == label_of(Path(path)):
                    self._wanted.setdefault(path, then)
                elif now is None:
                    others = others or f"made from other inputs ({name}: {label} then, {label_of(Path(path))} today)"
                elif now != then:
                    content = content or f"made from another {name}"
        return others, content

    def _other_source(self, job: PlannedJob, path: Path) -> str | None:
        source = self.units.sources_by_name[job.unit["source"]]
        stem = path.name.removesuffix(MANIFEST)
        try:
            files = read_listing(path.with_name(f"{stem}{LISTING}"))
        except NOT_THERE:
            return "its list of files is missing"
        except Unfit:
            return "its list of files is damaged"
        if source.is_url:
            same = [one.get("sha256") for one in files] == [source.sha256]
            return None if same and path.with_name(f"{stem}.data").exists() else "the config states another sha256"
        try:
            now = content_hash(local_path(source.at, may_fetch=False), self.results)
        except (PipelineError, OSError):
            return None  # a missing or unreadable source does not make finished artifacts stale
        return "the source changed" if now != digest(files) else None


def other_keys(results: Path, units: Units, study: str, labels: Iterable[str]) -> dict[str, str]:
    """Which of these artifacts (``<stage>/<name>``) would get another key if they were planned now -> why.

    Unlike a run, this counts other versions of packages.
    """
    check, found = Freshness(results, units), {}
    for label in labels:
        stage, name = label.split("/", 1)
        declared = declaration(stage)
        if declared is None or not units.holds(stage, name):
            found[label] = "the study no longer has it"
            continue
        job = units.job(declared, name, results / study)
        manifest, record = job.outputs
        if reason := check.other_key(job, manifest, TRIGGERS) or _other_packages(declared, record):
            found[label] = reason
    return found


def _other_packages(stage: Stage, record: str) -> str | None:
    recorded = {} if stage.by_content else (_record(Path(record)) or {}).get("environment", {})
    then = recorded.get("packages", {})
    now = environment("", 0, stage.packages)["packages"] if recorded else {}
    versions = {name: (then.get(name, "none"), now.get(name, "none")) for name in _changed(then, now)}
    return ", ".join(f"{name} {before} then, {after} today" for name, (before, after) in versions.items()) or None


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def other_settings(record: Mapping[str, Any], stage: str, today: Mapping[str, Any]) -> list[str]:
    """Descriptions of settings in the key that differ between now and a run record.

    Both are parsed by the current settings class, so neither another spelling of a value nor a new setting with its
    default value makes a difference.
    """
    declared = declaration(stage)
    if declared is None:
        return []
    then, now = (declared.in_key(settings) for settings in (record["settings"], today))
    if then == now:
        return []
    then, now = (declared.in_key(_complete(declared, settings)) for settings in (record["settings"], today))
    return [_differences(name, then.get(name), now.get(name)) for name in _changed(then, now)]


def outdated(study: Path, units: Units) -> str:
    """With which other settings than those of today a study's summary was made; empty if with the same, or unknown."""
    record = _record(study / "summary" / f"summary{RUN}") or {}
    differ = other_settings(record, "summary", units.settings("summary", {})) if "settings" in record else []
    return f"made with other settings ({'; '.join(differ)})" if differ else ""


def _edited(record: Record, stage: str, uses: Uses) -> str:
    """Which parts of the code behind an artifact changed, where its record has them."""
    then = record.get("closure", {})
    parts = [name.removeprefix(f"{PACKAGE}.") for name in _changed(then, code_parts(stage, uses))] if then else []
    more = [f"{len(parts) - MOST_TOLD} more"] if len(parts) > MOST_TOLD else []
    return f" ({', '.join([*parts[:MOST_TOLD], *more])})" if parts else ""


def _differences(name: str, then: Any, now: Any) -> str:
    """How two values of a setting differ.

    Of objects, their first values that do, by dotted names; of lists of objects, how many are new or gone, and which
    keys differ.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        names = _changed(then, now)
        told = [_differences(f"{name}.{key}", then.get(key), now.get(key)) for key in names[:MOST_TOLD]]
        more = [f"{len(names) - MOST_TOLD} more in {name}"] if len(names) > MOST_TOLD else []
        return "; ".join(told + more)
    objects = [*then, *now] if isinstance(then, list) and isinstance(now, list) else []
    if not objects or not all(isinstance(value, dict) for value in objects):
        return f"{name} {canonical(then)[:60]} then, {canonical(now)[:60]} today"
    label = next((key for key in ("run", "name") if all(key in value for value in objects)), None)
    before, after = ({canonical(value[label] if label else value): value for value in values} for values in (then, now))
    counts = {"added": len(after.keys() - before.keys()), "removed": len(before.keys() - after.keys())}
    keys = Counter(key for both in before.keys() & after.keys() for key in _changed(before[both], after[both]))
    said = [f"{count} {what}" for what, count in counts.items() if count]
    said += [f"{key} differs in {keys[key]}" for key in sorted(keys)]
    return f"{name}: {', '.join(said) or 'in another order'}"


def _complete(stage: Stage, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the stage parses them; unchanged if the current class refuses them."""
    try:
        return dict(stage.settings.model_validate_json(canonical(settings)).model_dump(mode="json"))
    except ValidationError:
        return dict(settings)


# Existing files that can't be read raise: a read error of the disk is no reason to recompute.
NOT_THERE = (FileNotFoundError, NotADirectoryError)


def _hash_of(manifest: str) -> str | None:
    try:
        return manifest_hash(Path(manifest))
    except NOT_THERE:
        return None
    except Unfit:
        return ""  # matches no hash


def _incomplete(manifest: Path) -> str | None:
    """Which data file is missing or has another size. Jobs verify, and restore, the files that they read."""
    loaded = load_manifest(manifest)
    if loaded.missing:
        return None
    if loaded.fault is not None:
        return "its manifest is damaged"
    stem = str(manifest).removesuffix(MANIFEST)
    files = loaded.content["files"]
    wrong = [suffix for suffix, file in files.items() if _size(Path(stem + suffix)) != file["bytes"]]
    return f"{Path(stem + wrong[0]).name} is missing or has another size" if wrong else None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except NOT_THERE:
        return None


def _record(path: Path) -> Record | None:
    """A run record; without content if a field has a type that no stage writes."""
    loaded = load_recipe(path)
    return (loaded.content if loaded.fault is None else {}) if loaded.content else None


def _cache_records(results: Path, stage: str) -> dict[str, Record]:
    """Manifest hash -> run record of every cache entry of a stage."""
    found = {}
    for path in sorted((results / CACHE / stage).glob(f"[!.]*/{ENTRY_MANIFEST}")):
        record, known = _record(path.with_name(ENTRY_RECORD)), _hash_of(str(path))
        if record is not None and known is not None:
            found[known] = record
    return found
