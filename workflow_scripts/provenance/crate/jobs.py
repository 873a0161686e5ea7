"""The jobs of a study as entities of a crate: one run of a tool each, with times, inputs, outputs and parameters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from workflow_scripts.core.files.jsonio import canonical, digest
from workflow_scripts.provenance import format as fmt
from workflow_scripts.provenance.crate.base import COMPLETED, Entity, encoding, inside, local, ref, refs
from workflow_scripts.provenance.crate.public import public_settings
from workflow_scripts.provenance.nodes import Node, inputs_of
from workflow_scripts.provenance.run_metadata import figures_of, mattering

# Name -> field of the run record or of its figures, and the unit's code in UN/CEFACT Recommendation 20.
USAGE = {
    "wall time": ("seconds", "SEC"),
    "CPU time": ("cpu_seconds", "SEC"),
    "peak resident memory": ("peak_bytes", "AD"),
    "peak memory of all processes": ("memory_peak_bytes", "AD"),
    "peak GPU memory": ("gpu_peak_bytes", "AD"),
}
MACHINE = ("python", "cpu_model", "gpu_model", "driver")


def manifest_path(node: Node) -> str:
    """Where a manifest lies in the crate; not under the name of a manifest, as it is no artifact's there."""
    return f"manifests/{node.label}.json"


def file_path(node: Node, suffix: str) -> str:
    """Path of a data file in the crate, if it is included."""
    return f"files/{node.label}{suffix}"


class Jobs:
    """Collects the entities of all jobs.

    Args:
        goes_along: whether the crate includes the file of a node and suffix.
    """

    def __init__(self, goes_along: Callable[[Node, str], bool]) -> None:
        self._goes_along = goes_along
        self.entities: dict[str, Entity] = {}
        self.files: list[str] = []
        self.jobs: list[str] = []
        self.controls: list[str] = []
        self.stages: dict[str, set[str | None]] = {}  # stage -> digests of its code

    def add(self, node: Node) -> None:
        """Add one artifact: its files, its job, and the job's parameters."""
        made = node.computation or {}
        self.stages.setdefault(node.stage, set()).add(made.get("code"))
        tool = self._tool(node.stage)
        results = [self._manifest(node), *(self._file(node, suffix) for suffix in sorted(node.files))]
        objects = [*self._inputs(node), *self._parameters(node, made)]
        usage = [one for one in self._usage(node, made) if one]
        job, control = local("job", node.label), local("control", node.label)
        self._put(
            {
                **{"@id": job, "@type": "CreateAction", "name": node.label, "description": _told(node)},
                **{"instrument": ref(tool["@id"]), "object": refs(objects), "result": refs(results)},
                **{"actionStatus": COMPLETED, "startTime": made.get("start"), "endTime": made.get("end")},
                **({"resourceUsage": refs(usage)} if usage else {}),
            }
        )
        step = ref(local("step", node.stage))
        self._put({"@id": control, "@type": "ControlAction", "instrument": step, "object": ref(job)})
        self.entities[control]["name"] = f"{node.label} as a step"
        self.jobs.append(job)
        self.controls.append(control)

    # What a job read and wrote ------------------------------------------------------------------------------------

    def _manifest(self, node: Node) -> str:
        path = manifest_path(node)
        parts = [self._id(node, suffix) for suffix in sorted(node.files)]
        made = self._parameter("output", node.stage, "manifest", "File")
        size = str(node.path.stat().st_size)
        entity: Entity = {
            "@id": inside(path),
            "@type": "File",
            "name": f"manifest of {node.label}",
            "contentSize": size,
        }
        entity |= {"sha256": node.hash, "encodingFormat": "application/json", "mentions": refs(parts)}
        entity |= {"exampleOfWork": [ref(made)]}
        self._put(entity)
        self.files.append(entity["@id"])
        return str(entity["@id"])

    def _file(self, node: Node, suffix: str) -> str:
        entry, identifier = node.files[suffix], self._id(node, suffix)
        made = self._parameter("output", node.stage, suffix.strip("./"), "File")
        entity: Entity = {
            "@id": identifier,
            "@type": "File",
            "name": f"{node.label}{suffix}",
            "sha256": entry["sha256"],
        }
        entity |= {"contentSize": str(entry["bytes"]), "encodingFormat": encoding(suffix), "exampleOfWork": [ref(made)]}
        if identifier.startswith("#"):
            entity["description"] = "Not in the crate: known by its hash, and kept where the study was run."
        self._put(entity)
        self.files.append(identifier)
        return identifier

    def _id(self, node: Node, suffix: str) -> str:
        along = self._goes_along(node, suffix)
        return inside(file_path(node, suffix)) if along else local(f"{node.label}{suffix}")

    def _inputs(self, node: Node) -> list[str]:
        found = []
        for one in inputs_of(node):
            role = self._parameter("input", node.stage, one.name, "File")
            if one.node is not None:
                found.append(inside(manifest_path(one.node)))
                self._put({"@id": found[-1], "exampleOfWork": [ref(role)]})
                continue
            found.append(local("read", one.recorded_hash))
            name = f"{one.name}, read by {node.label} where it lay"
            entity = {"@id": found[-1], "@type": "CreativeWork", "name": name, "sha256": one.recorded_hash}
            self._put(entity | {"exampleOfWork": [ref(role)]})
        return found

    def _parameters(self, node: Node, made: Mapping[str, Any]) -> list[str]:
        environment = made.get("environment") or {}
        git = made.get("git") or {}
        told = {f"unit {name}": value for name, value in sorted(node.manifest.get("unit", {}).items())}
        told |= public_settings(mattering(node.record or {}))
        told |= {"code digest": made.get("code"), "code commit": git.get("commit"), "code changes": git.get("diff")}
        told |= {"device": environment.get("device"), "math threads": environment.get("threads")}
        told |= {name: made.get(name) for name in MACHINE}
        return [self._value(node.stage, name, value) for name, value in told.items() if value is not None]

    def _value(self, stage: str, name: str, value: Any) -> str:
        text = value if isinstance(value, str) else canonical(value)
        parameter = self._parameter("setting", stage, name, _type_of(value))
        identifier = local("value", stage, name, digest(value)[:12])
        self._put({"@id": identifier, "@type": "PropertyValue", "name": name, "value": text})
        self.entities[identifier]["exampleOfWork"] = ref(parameter)
        return identifier

    def _usage(self, node: Node, made: Mapping[str, Any]) -> Iterable[str]:
        used = {**made, **figures_of(made)}
        for name, (field, unit) in USAGE.items():
            if used.get(field) is not None:
                identifier = local("usage", node.label, field)
                entity = {"@id": identifier, "@type": "PropertyValue", "name": name, "propertyID": name}
                self._put(entity | {"unitCode": unit, "value": str(used[field])})
                yield identifier

    # What a stage is ----------------------------------------------------------------------------------------------

    def _tool(self, stage: str) -> Entity:
        tool = {"@id": local("stage", stage), "@type": "SoftwareApplication", "name": stage}
        step = {"@id": local("step", stage), "@type": "HowToStep", "name": stage, "workExample": ref(tool["@id"])}
        self._put(tool)
        self._put(step)
        return self.entities[tool["@id"]]

    def requirements(self, stage: str, packages: Mapping[str, str | None]) -> None:
        """The package versions that a stage's jobs ran with."""
        tool = self.entities[local("stage", stage)]
        needed = tool.setdefault("softwareRequirements", [])
        for name, version in sorted(packages.items()):
            if version is not None:
                url = f"https://pypi.org/project/{quote(name)}/{quote(version)}/"
                self._put({"@id": url, "@type": "SoftwareApplication", "name": name, "softwareVersion": version})
                needed += [] if ref(url) in needed else [ref(url)]

    def _parameter(self, kind: str, stage: str, name: str, value_type: str) -> str:
        identifier = local(kind, stage, name)
        entity = {"@id": identifier, "@type": "FormalParameter", "name": name, "additionalType": value_type}
        self._put(entity)
        tool = self.entities[local("stage", stage)]
        listed = tool.setdefault("output" if kind == "output" else "input", [])
        listed += [] if ref(identifier) in listed else [ref(identifier)]
        return identifier

    def _put(self, entity: Entity) -> None:
        """Add an entity; of one that is there, what it is an example of grows."""
        there = self.entities.setdefault(entity["@id"], {})
        examples = entity.pop("exampleOfWork", None)
        there |= entity
        if examples is not None:
            known = there.setdefault("exampleOfWork", [])
            known += [one for one in examples if one not in known]


def _told(node: Node) -> str:
    rows = node.manifest.get("rows")
    return f"Makes {node.label}" + (f"; rows {fmt.rows(rows)}" if rows else "")


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"
