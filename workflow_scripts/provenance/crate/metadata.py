"""A study as a Workflow Run RO-Crate (Provenance Run Crate profile 0.5, RO-Crate 1.1).

The metadata follows from the manifests and run records alone: the same records give the same crate.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

from workflow_scripts.core.digest import PROJECT, ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import canonical, digest
from workflow_scripts.core.key import root_hash
from workflow_scripts.provenance.crate.contents import (
    METADATA,
    README,
    README_TEXT,
    ROOT_ID,
    WORKFLOW,
    Published,
    goes_along,
    public_settings,
)
from workflow_scripts.provenance.nodes import Node, inputs_of
from workflow_scripts.provenance.run_metadata import mattering, rows_text

CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
CRATE, WORKFLOW_CRATE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
SNAKEMAKE, SNAKEMAKE_PAPER = "https://snakemake.github.io", "https://doi.org/10.1093/bioinformatics/bts480"
ENGINE, ENGINE_RUN, RUN = "#snakemake", "#engine-run", "#run"
COMPLETED = "http://schema.org/CompletedActionStatus"
DESCRIPTION = (
    "Every job of the study with its parameters, times, inputs and outputs. Large files, and files with a row "
    "for each post, picture or test item, are named by sha256 and not in the crate."
)
FORMATS = MimeTypes()  # those that Python knows; no file of the machine is read
for suffix, kind in {
    ".parquet": "application/vnd.apache.parquet",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".smk": "text/x-snakemake",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".tex": "text/x-tex",
}.items():
    FORMATS.add_type(kind, suffix)
# Name -> field of the run record or of its figures, and the unit's code in UN/CEFACT Recommendation 20.
USAGE = {
    "wall time": ("seconds", "SEC"),
    "CPU time": ("cpu_seconds", "SEC"),
    "peak resident memory": ("peak_bytes", "AD"),
    "peak memory of all processes": ("memory_peak_bytes", "AD"),
    "peak GPU memory": ("gpu_peak_bytes", "AD"),
}
TYPES = {bool: "Boolean", int: "Integer", float: "Float"}


class Graph:
    """Collects entities, each once, and the references between them."""

    def __init__(self) -> None:
        self._entities: dict[str, dict[str, Any]] = {}
        self._links: dict[tuple[str, str], dict[str, None]] = {}

    def put(self, identifier: str, kind: str, /, **values: Any) -> str:
        """Add an entity, or values to it; gives its identifier."""
        self._entities.setdefault(identifier, {"@id": identifier, "@type": kind}).update(values)
        return identifier

    def link(self, identifier: str, name: str, *targets: str) -> None:
        """Add references to a property of an entity."""
        self._links.setdefault((identifier, name), {}).update(dict.fromkeys(targets))

    def file(self, identifier: str, name: str, sha256: str, size: int, /, **values: Any) -> str:
        """Add a file, of the crate if its identifier is a path."""
        self.link(ROOT_ID, "hasPart", identifier)
        kind, packed = FORMATS.guess_type(name)
        shown = "application/octet-stream" if kind is None or packed else kind
        described = {"name": name, "sha256": sha256, "contentSize": str(size), "encodingFormat": shown}
        return self.put(identifier, "File", **described | values)

    def entities(self) -> list[dict[str, Any]]:
        """All of them; lists of one as that one, as RO-Crate wants them, and properties without a value left out."""
        for (identifier, name), targets in self._links.items():
            self._entities[identifier][name] = refs(targets)
        return [
            {
                name: value[0] if isinstance(value, list) and len(value) == 1 else value
                for name, value in entity.items()
                if value not in (None, [])
            }
            for entity in self._entities.values()
        ]


def ref(identifier: str) -> dict[str, str]:
    """A reference to an entity."""
    return {"@id": identifier}


def refs(identifiers: Iterable[str]) -> list[dict[str, str]]:
    """References in order, each once."""
    return [ref(one) for one in dict.fromkeys(identifiers)]


def local(*parts: str) -> str:
    """Identifier of something that is described but not in the crate: ``#download/00000.tar``."""
    return "#" + quote("/".join(parts), safe="/=,")


def manifest_path(node: Node) -> str:
    """Where a manifest lies in the crate; not under the name of a manifest, as it is no artifact's there."""
    return f"manifests/{node.label}.json"


def describe(
    nodes: Sequence[Node],
    study: str,
    license_text: str,
    published: Published,
    limit: int,
) -> tuple[dict[str, Any], dict[str, tuple[Path, str]]]:
    """The metadata of a study's crate, and the included files: path in the crate -> current path and sha256.

    Args:
        nodes: all artifacts of the study, each with a readable run record.
        study: the study's name.
        license_text: licence of the study.
        published: which data files may be included.
        limit: maximum size in bytes of included data files.
    """
    ordered = in_order(nodes)
    files = {manifest_path(node): (node.path, node.hash) for node in ordered}
    graph = Graph()
    _describe_study(graph, ordered, study, license_text)
    for path in (PROJECT / WORKFLOW, *sorted(PROJECT.glob("rules/*.smk"))):
        name, data = path.relative_to(PROJECT).as_posix(), path.read_bytes()
        files[name] = path, hashlib.sha256(data).hexdigest()
        kinds = {"@type": ["File", "SoftwareSourceCode"], "encodingFormat": "text/x-snakemake"}
        graph.file(name, name, files[name][1], len(data), **kinds)
    _describe_run(graph, ordered)
    for node in ordered:
        along = {
            suffix: file["sha256"]
            for suffix, file in node.files.items()
            if goes_along(published, node.stage, suffix, file["bytes"], limit)
        }
        files |= {f"files/{node.label}{suffix}": (node.file(suffix), sha256) for suffix, sha256 in along.items()}
        _describe_job(graph, node, along)
    _describe_stages(graph, ordered)
    return {"@context": CONTEXT, "@graph": graph.entities()}, files


def in_order(nodes: Sequence[Node]) -> list[Node]:
    """Artifacts in topological order, then by label.

    Raises:
        PipelineError: run records say that artifacts were made from each other.
    """
    by_path = {node.path: node for node in sorted(nodes, key=lambda node: node.label)}
    inputs = {
        path: [edge.path for edge in inputs_of(node, by_path) if edge.path in by_path and edge.path != path]
        for path, node in by_path.items()
    }
    try:
        return [by_path[path] for path in TopologicalSorter(inputs).static_order()]
    except CycleError as error:
        node = by_path[error.args[1][0]]
        advice = "faithful-pairs audit names the faulty record"
        raise PipelineError("cycle of inputs", node.record_path, node.label, advice) from None


def _times(nodes: Sequence[Node]) -> dict[str, str]:
    """From the start of the first job to the end of the last one."""
    made = [node.computation or {} for node in nodes]
    return {
        "startTime": min(str(record["start"]) for record in made),
        "endTime": max(str(record["end"]) for record in made),
    }


def _describe_study(graph: Graph, nodes: Sequence[Node], study: str, license_text: str) -> None:
    """What every crate has: descriptor, profiles, README, the workflow with its language and engine."""
    end = _times(nodes)["endTime"]
    is_url = license_text.startswith("https://")
    graph.put(METADATA, "CreativeWork", about=ref(ROOT_ID), conformsTo=refs([CRATE, WORKFLOW_CRATE]))
    graph.put(ROOT_ID, "Dataset", name=f"Faithful Pairs study {study}", description=DESCRIPTION, datePublished=end)
    graph.put(ROOT_ID, "Dataset", license=ref(license_text) if is_url else license_text, mainEntity=ref(WORKFLOW))
    root = root_hash((node.label, node.hash) for node in nodes)
    graph.put(ROOT_ID, "Dataset", conformsTo=refs(PROFILES), identifier=f"root-sha256:{root}")
    graph.link(ROOT_ID, "mentions", RUN, ENGINE_RUN)
    for identifier, (name, version) in PROFILES.items():
        graph.put(identifier, "CreativeWork", name=name, version=version)
    url = ref(SNAKEMAKE)
    graph.put(LANGUAGE, "ComputerLanguage", name="Snakemake", identifier=ref(SNAKEMAKE_PAPER), url=url)
    graph.put(ENGINE, "SoftwareApplication", name="Snakemake", url=url)
    readme = hashlib.sha256(README_TEXT).hexdigest()
    graph.file(README, "About this crate", readme, len(README_TEXT), about=ref(ROOT_ID), encodingFormat="text/markdown")
    if is_url:
        graph.put(license_text, "CreativeWork", name="Licence")


def _describe_run(graph: Graph, nodes: Sequence[Node]) -> None:
    """The workflow, its run as a whole, and the engine's run that held its steps."""
    commits = {((node.computation or {}).get("git") or {}).get("commit") for node in nodes}
    kinds = {"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]}
    about = {"conformsTo": ref(BIOSCHEMAS), "version": commits.pop() if len(commits) == 1 else None}
    graph.put(WORKFLOW, "File", name="Faithful Pairs", programmingLanguage=ref(LANGUAGE), **about, **kinds)
    times = {**_times(nodes), "actionStatus": COMPLETED}
    said = f"{len(nodes)} jobs; from the first one's start to the last one's end."
    graph.put(RUN, "CreateAction", name="Run of the study", instrument=ref(WORKFLOW), description=said, **times)
    used = {edge.path for node in nodes for edge in inputs_of(node)}
    graph.link(RUN, "object", *(quote(manifest_path(node)) for node in nodes if not inputs_of(node)))
    graph.link(RUN, "result", *(quote(manifest_path(node)) for node in nodes if node.path not in used))
    engine = {"instrument": ref(ENGINE), "result": ref(RUN)}
    graph.put(ENGINE_RUN, "OrganizeAction", name="Run of Snakemake", **engine, **times)


def _describe_job(graph: Graph, node: Node, along: Collection[str]) -> None:
    """One artifact: its stage and job with times, resources, inputs, parameters and files."""
    made, stage = node.computation or {}, node.stage
    tool = graph.put(local("stage", stage), "SoftwareApplication", name=stage)
    step = graph.put(local("step", stage), "HowToStep", name=stage, workExample=ref(tool))
    graph.link(WORKFLOW, "hasPart", tool)
    graph.link(WORKFLOW, "step", step)
    said = f"Makes {node.label}" + (f"; rows {rows_text(rows)}" if (rows := node.manifest["rows"]) else "")
    about = {"name": node.label, "instrument": ref(tool), "description": said, "actionStatus": COMPLETED}
    times = {"startTime": made.get("start"), "endTime": made.get("end")}
    job = graph.put(local("job", node.label), "CreateAction", **about, **times)
    about = {"name": f"{node.label} as a step", "instrument": ref(step), "object": ref(job)}
    control = graph.put(local("control", node.label), "ControlAction", **about)
    graph.link(ROOT_ID, "mentions", job)
    graph.link(ENGINE_RUN, "object", control)
    graph.link(job, "result", *_files(graph, node, along))
    graph.link(job, "object", *_inputs(graph, node), *_parameters(graph, node, made))
    used = {**made, **made.get("figures", {})}
    for name, (field, unit) in USAGE.items():
        if used.get(field) is not None:
            value = {"name": name, "propertyID": name, "unitCode": unit, "value": str(used[field])}
            graph.link(job, "resourceUsage", graph.put(local("usage", node.label, field), "PropertyValue", **value))
    for name, version in sorted((made.get("packages") or {}).items()):
        if version is not None:
            url = f"https://pypi.org/project/{quote(name)}/{quote(version)}/"
            graph.put(url, "SoftwareApplication", name=name, softwareVersion=version)
            graph.link(tool, "softwareRequirements", url)


def _files(graph: Graph, node: Node, along: Collection[str]) -> Iterator[str]:
    """Its manifest and data files, of which the crate has copies of some."""
    manifest = quote(manifest_path(node))
    size, kind = len(node.manifest_file.data), "application/json"
    graph.file(manifest, f"manifest of {node.label}", node.hash, size, encodingFormat=kind)
    _example(graph, manifest, "output", node.stage, "manifest", "File")
    yield manifest
    for suffix, file in sorted(node.files.items()):
        inside = suffix in along
        identifier = quote(f"files/{node.label}{suffix}") if inside else local(f"{node.label}{suffix}")
        said = None if inside else "Not in the crate: known by its hash, and kept where the study was run."
        graph.file(identifier, f"{node.label}{suffix}", file["sha256"], file["bytes"], description=said)
        graph.link(manifest, "mentions", identifier)
        _example(graph, identifier, "output", node.stage, suffix.strip("./"), "File")
        yield identifier


def _inputs(graph: Graph, node: Node) -> Iterator[str]:
    for edge in inputs_of(node):
        if edge.node is not None:
            identifier = quote(manifest_path(edge.node))
        else:
            about = {"name": f"{edge.name}, read by {node.label} where it lay", "sha256": edge.recorded_hash}
            identifier = graph.put(local("read", edge.recorded_hash), "CreativeWork", **about)
        _example(graph, identifier, "input", node.stage, edge.name, "File")
        yield identifier


def _parameters(graph: Graph, node: Node, made: Mapping[str, Any]) -> Iterator[str]:
    environment, git = made.get("environment") or {}, made.get("git") or {}
    values = {f"unit {name}": value for name, value in sorted(node.manifest["unit"].items())}
    values |= public_settings(mattering(node.record or {}))
    values |= {"code digest": made.get("code"), "code commit": git.get("commit"), "code changes": git.get("diff")}
    values |= {"device": environment.get("device"), "math threads": environment.get("threads")}
    values |= {name: made.get(name) for name in ("python", "cpu_model", "gpu_model", "driver")}
    for name, value in values.items():
        if value is not None:
            text = value if isinstance(value, str) else canonical(value)
            identifier = local("value", node.stage, name, digest(value)[:12])
            yield graph.put(identifier, "PropertyValue", name=name, value=text)
            _example(graph, identifier, "setting", node.stage, name, TYPES.get(type(value), "Text"))


def _example(graph: Graph, identifier: str, kind: str, stage: str, name: str, value_type: str) -> None:
    """Describe an input, output or setting of a stage, of which an entity is an example."""
    parameter = graph.put(local(kind, stage, name), "FormalParameter", name=name, additionalType=value_type)
    graph.link(local("stage", stage), "output" if kind == "output" else "input", parameter)
    graph.link(identifier, "exampleOfWork", parameter)


def _describe_stages(graph: Graph, nodes: Sequence[Node]) -> None:
    """What each stage does, from its file's first line; its place in the order; its code, if all jobs ran the same."""
    codes: dict[str, set[str | None]] = {}
    for node in nodes:
        codes.setdefault(node.stage, set()).add((node.computation or {}).get("code"))
    for position, (stage, versions) in enumerate(codes.items()):
        graph.put(local("step", stage), "HowToStep", position=str(position))
        version = versions.pop() if len(versions) == 1 else None
        path = ROOT / "workflow_scripts" / "stages" / f"{stage}.py"
        text = (ast.get_docstring(ast.parse(path.read_bytes())) or "") if path.is_file() else ""
        about = {"softwareVersion": version, "description": text.split("\n")[0] or None}
        graph.put(local("stage", stage), "SoftwareApplication", **about)
