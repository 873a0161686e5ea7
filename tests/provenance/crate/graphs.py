"""A crate's metadata, whether it is valid, and data files for a study made by hand."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.key import root_hash
from workflow_scripts.provenance.crate.metadata import CONTEXT, PROFILES
from workflow_scripts.study.config.stages import published

METADATA = "ro-crate-metadata.json"
PUBLISHED = published()
PERSONAL = re.compile(r"(?:^|[\s\"'=:])(?:/(?:home|root|Users|mnt|media)/|~/)|[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?\+\d\d:\d\d")
Graph = dict[str, dict[str, Any]]


def real_bytes(study: Path) -> None:
    """Give every data file of a hand-made study bytes, and the manifests their hashes; links stay as they are."""
    hashes = {}
    for path in sorted(study.glob(f"*/*{MANIFEST}"), key=start_of):
        manifest = json.loads(path.read_bytes())
        for suffix, entry in manifest["files"].items():
            data = f"{path.name}{suffix}".encode()
            file = path.parent / f"{path.name.removesuffix(MANIFEST)}{suffix}"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
            entry |= {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
        old = sha256(path.read_bytes()).hexdigest()
        path.write_bytes(pretty(manifest))
        hashes[old] = sha256(path.read_bytes()).hexdigest()
    for record in study.glob(f"*/*{RUN}"):
        text = record.read_text()
        for old, new in hashes.items():
            text = text.replace(old, new)
        record.write_text(text)


def start_of(manifest: Path) -> str:
    record = manifest.with_name(manifest.name.removesuffix(MANIFEST) + RUN)
    return str(json.loads(record.read_bytes())["start"])


def graph_of(crate: Path) -> Graph:
    metadata = json.loads((crate / METADATA).read_bytes())
    assert metadata["@context"] == CONTEXT
    graph = {entity["@id"]: entity for entity in metadata["@graph"]}
    assert len(graph) == len(metadata["@graph"])
    return graph


def ids(value: Any) -> list[str]:
    """Identifiers in a property: of one reference, or of a list of them."""
    values = value if isinstance(value, list) else [value]
    return [one["@id"] for one in values if isinstance(one, dict) and "@id" in one]


def check_crate(crate: Path) -> None:
    """That a crate follows the profile, that its files are as described, and that it describes every job."""
    graph = graph_of(crate)
    root, run = graph["./"], graph["#run"]
    assert root["name"] and root["description"] and root["license"] and root["datePublished"]
    assert set(PROFILES) <= set(ids(root["conformsTo"]))
    workflow = graph[ids(root["mainEntity"])[0]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} == set(workflow["@type"])
    for entity in graph.values():
        named = [target for value in entity.values() for target in ids(value)]
        assert {name for name in named if name not in graph} <= {name for name in named if name.startswith("https://")}
        assert not PERSONAL.search(json.dumps({**entity, "@id": ""})), entity
    for entity in of_type(graph, "File"):
        assert {"@id": entity["@id"]} in root["hasPart"] and int(entity["contentSize"]) >= 0
        if not entity["@id"].startswith("#"):
            data = (crate / unquote(entity["@id"])).read_bytes()
            assert (entity["sha256"], entity["contentSize"]) == (sha256(data).hexdigest(), str(len(data))), entity
    jobs = [job for job in of_type(graph, "CreateAction") if job is not run]
    controlled = Counter(name for control in of_type(graph, "ControlAction") for name in ids(control["object"]))
    assert controlled == {job["@id"]: 1 for job in jobs}
    assert {control["@id"] for control in of_type(graph, "ControlAction")} == set(ids(graph["#engine-run"]["object"]))
    for control in of_type(graph, "ControlAction"):
        (step,), (job,) = ids(control["instrument"]), ids(control["object"])
        assert graph[step]["workExample"] == graph[job]["instrument"]
    assert {name for job in jobs for name in ids(job["instrument"])} == set(ids(workflow["hasPart"]))
    assert {step["@id"] for step in of_type(graph, "HowToStep")} == set(ids(workflow["step"]))
    for job in [*jobs, run]:
        assert (
            TIME.fullmatch(job["startTime"]) and TIME.fullmatch(job["endTime"]) and job["startTime"] <= job["endTime"]
        )
        assert all("sha256" in graph[result] for result in ids(job["result"]))
    check_manifests(crate, graph, jobs)


def check_manifests(crate: Path, graph: Graph, jobs: list[dict[str, Any]]) -> None:
    """Every manifest has one job, whose results are the files that it names; the root hash is over all manifests."""
    made_by = {result: job for job in jobs for result in ids(job["result"])}
    manifests = {}
    for path in (crate / "manifests").glob("*/*.json"):
        job = made_by[path.relative_to(crate).as_posix()]
        results = {(graph[one]["sha256"], graph[one]["contentSize"]) for one in ids(job["result"])}
        files = json.loads(path.read_bytes())["files"].values()
        assert {(file["sha256"], str(file["bytes"])) for file in files} <= results
        manifests[job["name"]] = sha256(path.read_bytes()).hexdigest()
    assert set(manifests) == {job["name"] for job in jobs}
    assert graph["./"]["identifier"] == f"root-sha256:{root_hash(manifests.items())}"


def of_type(graph: Graph, kind: str) -> Iterator[dict[str, Any]]:
    return (entity for entity in graph.values() if kind in entity["@type"])
