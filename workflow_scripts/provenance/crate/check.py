"""Checks a crate against the profile and against itself: no network and no study is needed."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, parse_object, read_bytes, read_object
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.key import root_hash
from workflow_scripts.provenance.crate import base
from workflow_scripts.provenance.crate.base import Entity
from workflow_scripts.provenance.crate.public import MAIL

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?\+\d\d:\d\d")
_PERSONAL = re.compile(r"(?:^|[\s\"'=:])(?:/(?:home|root|Users|mnt|media)/|~/)|" + MAIL)


def check(folder: Path) -> list[str]:
    """Faults, one line each; empty if the crate is consistent.

    Raises:
        PipelineError: there is no readable metadata.
    """
    advice = "write it with: faithful-pairs crate results/<study>"
    try:
        metadata = read_object(folder / base.METADATA)
    except (OSError, Unfit) as error:
        value = getattr(error, "strerror", None) or error
        raise PipelineError("unreadable crate", folder / base.METADATA, value, advice) from None
    graph = metadata.get("@graph")
    if not isinstance(graph, list) or not all(_is_entity(one) for one in graph):
        raise PipelineError(
            "no RO-Crate metadata", folder / base.METADATA, "@graph", "it must list entities with id and type"
        )
    whole = _Crate(folder, metadata, {one["@id"]: one for one in graph})
    repeated = [name for name, count in Counter(one["@id"] for one in graph).items() if count > 1]
    return [f"{name}: described more than once" for name in repeated] + list(whole.faults())


def _is_entity(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("@id"), str)
        and all(isinstance(kind, str) for kind in listed(one.get("@type", [[]])))
    )


def _digests(text: Any) -> set[str]:
    """Ends of the names of the values, texts or others, that are written as ``text``."""
    try:
        return {digest(text)[:12], digest(json.loads(text))[:12]}
    except (TypeError, ValueError, RecursionError):  # not JSON
        return {digest(text)[:12]}


class _Crate:
    def __init__(self, folder: Path, metadata: Entity, entities: dict[str, Entity]) -> None:
        self.folder, self.metadata, self.entities = folder, metadata, entities

    def faults(self) -> Iterator[str]:
        yield from self._head()
        yield from self._references()
        yield from self._values()
        yield from self._files()
        yield from self._workflow()
        yield from self._jobs()
        yield from self._manifests()

    def of_type(self, kind: str) -> list[Entity]:
        return [one for one in self.entities.values() if kind in listed(one["@type"])]

    def _head(self) -> Iterator[str]:
        if self.metadata.get("@context") != base.CONTEXT:
            yield f"@context: is not {base.CONTEXT}"
        descriptor, root = (self.entities.get(name, {}) for name in (base.METADATA, base.ROOT_ID))
        if ids(descriptor.get("about")) != [base.ROOT_ID] or base.CRATE not in ids(descriptor.get("conformsTo")):
            yield f"{base.METADATA}: does not say that it describes {base.ROOT_ID} by {base.CRATE}"
        for name in ("name", "description", "license", "datePublished", "mainEntity"):
            if not root.get(name):
                yield f"{base.ROOT_ID}: has no {name}"
        for profile in base.PROFILES:
            if profile not in ids(root.get("conformsTo")):
                yield f"{base.ROOT_ID}: does not name the profile {profile}"

    def _references(self) -> Iterator[str]:
        for entity in self.entities.values():
            for name, value in entity.items():
                for target in ids(value):
                    if target not in self.entities and not target.startswith("https://"):
                        yield f"{entity['@id']}: {name} names {target}, which is not described"
            if _PERSONAL.search(json.dumps({name: one for name, one in entity.items() if name != "@id"})):
                yield f"{entity['@id']}: contains a path of a user's machine or a mail address"

    def _values(self) -> Iterator[str]:
        for entity in self.of_type("PropertyValue"):
            name, text = entity["@id"], entity.get("value")
            if name.startswith("#value/") and name.rpartition("/")[2] not in _digests(text):
                yield f"{name}: its value {str(text)[:60]} is not the one that its name has the hash of"

    def _files(self) -> Iterator[str]:
        parts = set(ids(self.entities.get(base.ROOT_ID, {}).get("hasPart")))
        for entity in self.of_type("File"):
            name = entity["@id"]
            if name not in parts:
                yield f"{name}: is not part of the crate"
            if not _SHA256.fullmatch(str(entity.get("sha256"))) or not str(entity.get("contentSize")).isdigit():
                yield f"{name}: has no sha256 or no size"
            elif not name.startswith("#"):
                yield from self._bytes(name, entity)

    def _bytes(self, name: str, entity: Entity) -> Iterator[str]:
        path = self.folder / unquote(name).replace("\0", "")
        inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder))
        try:
            data = path.read_bytes() if inside and path.is_file() else None
        except OSError:
            data = None
        if data is None:
            yield f"{name}: is not in the crate"
            return
        if hashlib.sha256(data).hexdigest() != entity["sha256"] or str(len(data)) != entity["contentSize"]:
            yield f"{name}: has other bytes than described"

    def _workflow(self) -> Iterator[str]:
        workflow = self.entities.get(next(iter(ids(self.entities.get(base.ROOT_ID, {}).get("mainEntity"))), ""), {})
        wanted = {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
        if not wanted <= set(listed(workflow.get("@type"))) or not ids(workflow.get("programmingLanguage")):
            yield f"{base.WORKFLOW}: is not described as a workflow with its language"
        tools, steps = ids(workflow.get("hasPart")), ids(workflow.get("step"))
        used = {one for action in self.of_type("CreateAction") for one in ids(action.get("instrument"))}
        for tool in [workflow.get("@id", base.WORKFLOW), *tools]:
            if tool not in used:
                yield f"{tool}: no run of it is described"
        for step in self.of_type("HowToStep"):
            if step["@id"] not in steps or not set(ids(step.get("workExample"))) & set(tools):
                yield f"{step['@id']}: is not a step of the workflow with a tool of its own"

    def _jobs(self) -> Iterator[str]:
        controls = self.of_type("ControlAction")
        engines = [set(ids(one.get("object"))) for one in self.of_type("OrganizeAction")]
        controlled = Counter(job for one in controls for job in ids(one.get("object")))
        for control in controls:
            steps = [self.entities.get(one, {}) for one in ids(control.get("instrument"))]
            jobs = [self.entities.get(one, {}) for one in ids(control.get("object"))]
            if not steps or ids(steps[0].get("workExample")) != ids(jobs[0].get("instrument") if jobs else None):
                yield f"{control['@id']}: its step and its job have different tools"
            if not any(control["@id"] in objects for objects in engines):
                yield f"{control['@id']}: is not part of the engine's run"
        for job in self.of_type("CreateAction"):
            times = [str(job.get("startTime")), str(job.get("endTime"))]
            if not all(_TIME.fullmatch(one) for one in times) or times[0] > times[1]:
                yield f"{job['@id']}: has no start and end in order"
            if not ids(job.get("result")) or not ids(job.get("instrument")):
                yield f"{job['@id']}: has no result or no instrument"
            if job["@id"] != base.RUN and controlled[job["@id"]] != 1:
                yield f"{job['@id']}: {controlled[job['@id']]} steps name it instead of one"
            for result in ids(job.get("result")):
                if "sha256" not in self.entities.get(result, {}):
                    yield f"{job['@id']}: its result {result} has no sha256"

    def _manifests(self) -> Iterator[str]:
        """Every manifest in the crate has one job, whose results are the files that it names, byte for byte."""
        made_by = {
            result: job
            for job in self.of_type("CreateAction")
            if job["@id"] != base.RUN
            for result in ids(job.get("result"))
        }
        found = []
        for path in sorted((self.folder / "manifests").glob("*/*.json")):
            label = f"{path.parent.name}/{path.name.removesuffix('.json')}"
            name = base.inside(path.relative_to(self.folder).as_posix())
            try:
                data = read_bytes(path)
                recorded = parse_object(data).get("files")
            except (OSError, Unfit):
                yield f"{name}: is not a manifest"
                continue
            found.append((label, hashlib.sha256(data).hexdigest()))
            job = made_by.get(name)
            if job is None:
                yield f"{name}: no job made it"
                continue
            if not isinstance(recorded, dict) or not all(isinstance(one, dict) for one in recorded.values()):
                yield f"{name}: is not a manifest"
                continue
            described = {
                (one.get("sha256"), one.get("contentSize"))
                for one in (self.entities.get(result, {}) for result in ids(job.get("result")))
            }
            for suffix, entry in recorded.items():
                if (entry.get("sha256"), str(entry.get("bytes"))) not in described:
                    yield f"{job['@id']}: {label}{suffix} is not among its results with the manifest's sha256 and size"
        if self.entities.get(base.ROOT_ID, {}).get("identifier") != f"root-sha256:{root_hash(found)}":
            yield f"{base.ROOT_ID}: the manifests in the crate are not all of the study's, or not as they were"


def listed(value: Any) -> list[Any]:
    """A property's values, also where there is one or none."""
    return [] if value is None else value if isinstance(value, list) else [value]


def ids(value: Any) -> list[str]:
    """Identifiers that a property refers to."""
    return [str(one["@id"]) for one in listed(value) if isinstance(one, dict) and "@id" in one]
