"""A study as a Workflow Run RO-Crate (Provenance Run Crate profile 0.5, RO-Crate 1.1).

The metadata follows from the manifests and run records alone: the same records give the same crate.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.key import root_hash
from workflow_scripts.provenance.crate import base
from workflow_scripts.provenance.crate.base import Entity, ref, refs
from workflow_scripts.provenance.crate.jobs import Jobs, file_path, manifest_path
from workflow_scripts.provenance.crate.public import Published, goes_along
from workflow_scripts.provenance.nodes import Node, inputs_of

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Crate:
    """The metadata, and the included files: path in the crate -> current path."""

    metadata: dict[str, Any]
    files: dict[str, Path]


def describe(
    nodes: Sequence[Node],
    study: str,
    license_text: str,
    published: Published,
    limit: int = MEGABYTE,
    root: Path = ROOT,
) -> Crate:
    """The crate of a study.

    Args:
        nodes: all artifacts of the study, each with a readable run record.
        study: the study's name.
        license_text: licence of the study.
        published: which data files may be included.
        limit: maximum size in bytes of included data files.
        root: the checkout, whose Snakefile and rules are included.
    """
    ordered = in_order(nodes)

    def along(node: Node, suffix: str) -> bool:
        return goes_along(published, node.stage, suffix, node.files[suffix]["bytes"], limit)

    jobs = Jobs(along)
    for node in ordered:
        jobs.add(node)
        jobs.requirements(node.stage, (node.computation or {}).get("packages") or {})
    _describe_stages(jobs, root)
    files = {manifest_path(node): node.path for node in ordered}
    for node in ordered:
        files |= {file_path(node, suffix): node.file(suffix) for suffix in node.files if along(node, suffix)}
    recipes = {
        path.relative_to(root).as_posix(): path for path in (root / "Snakefile", *sorted(root.glob("rules/*.smk")))
    }
    commits = {(node.computation or {}).get("git", {}).get("commit") for node in ordered}
    commit = {"version": commits.pop()} if len(commits) == 1 and None not in commits else {}
    entities = [
        base.descriptor(),
        _root(study, license_text, ordered, [base.README, *recipes, *jobs.files], jobs.jobs),
        *base.profiles(),
        *base.language(),
        *base.readme(),
        *base.licenses(license_text),
        _workflow(recipes[base.WORKFLOW], jobs) | commit,
        *(_recipe(name, path) | commit for name, path in recipes.items() if name != base.WORKFLOW),
        *_runs(ordered, jobs),
        *jobs.entities.values(),
    ]
    return Crate({"@context": base.CONTEXT, "@graph": [base.compact(one) for one in entities]}, files | recipes)


def in_order(nodes: Sequence[Node]) -> list[Node]:
    """Artifacts in topological order, then by label.

    Raises:
        PipelineError: run records say that artifacts were made from each other.
    """
    by_path = {node.path: node for node in nodes}
    done: dict[Path, Node] = {}
    begun: set[Path] = set()

    def visit(node: Node) -> None:
        if node.path in done:
            return
        if node.path in begun:
            raise PipelineError(
                "cycle of inputs", node.record_path, node.label, "faithful-pairs audit names the faulty record"
            )
        begun.add(node.path)
        for one in inputs_of(node, by_path):
            if one.path in by_path and one.path != node.path:
                visit(by_path[one.path])
        done[node.path] = node

    for node in sorted(nodes, key=lambda one: one.label):
        visit(node)
    return list(done.values())


def _root(study: str, license_text: str, nodes: Sequence[Node], parts: Sequence[str], jobs: Sequence[str]) -> Entity:
    value = root_hash((node.label, node.hash) for node in nodes)
    return {
        **{"@id": base.ROOT_ID, "@type": "Dataset", "name": f"Faithful Pairs study {study}"},
        "license": ref(license_text) if base.licenses(license_text) else license_text,
        "description": (
            "Every job of the study with its parameters, times, inputs and outputs. Large files, and files with a row "
            "for each post, picture or test item, are named by sha256 and not in the crate."
        ),
        **{"datePublished": _ends(nodes)[1], "conformsTo": refs(base.PROFILES), "mainEntity": ref(base.WORKFLOW)},
        **{"hasPart": refs(parts), "mentions": refs([base.RUN, base.ENGINE_RUN, *jobs])},
        "identifier": f"root-sha256:{value}",
    }


def _workflow(path: Path, jobs: Jobs) -> Entity:
    stages = list(jobs.stages)
    return {
        **{"@id": base.WORKFLOW, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]},
        **{"name": "Faithful Pairs", "programmingLanguage": ref(base.LANGUAGE), "conformsTo": ref(base.BIOSCHEMAS)},
        **{"hasPart": refs(base.local("stage", one) for one in stages)},
        **{"step": refs(base.local("step", one) for one in stages)},
        **_content(path),
    }


def _recipe(name: str, path: Path) -> Entity:
    return {"@id": name, "@type": ["File", "SoftwareSourceCode"], "name": name, **_content(path)}


def _content(path: Path) -> Entity:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return {"encodingFormat": "text/x-snakemake", "sha256": sha256, "contentSize": str(len(data))}


def _runs(nodes: Sequence[Node], jobs: Jobs) -> list[Entity]:
    """The workflow's run as a whole, and the engine's run that held its steps."""
    start, end = _ends(nodes)
    used = {one.path for node in nodes for one in inputs_of(node)}
    first = [node for node in nodes if not inputs_of(node)]
    last = [node for node in nodes if node.path not in used]
    times = {"startTime": start, "endTime": end, "actionStatus": base.COMPLETED}
    about = {"description": f"{len(nodes)} jobs; from the first one's start to the last one's end."}
    run: Entity = {
        "@id": base.RUN,
        "@type": "CreateAction",
        "name": "Run of the study",
        "instrument": ref(base.WORKFLOW),
    }
    run |= {"object": refs(base.inside(manifest_path(node)) for node in first)}
    run |= {"result": refs(base.inside(manifest_path(node)) for node in last)}
    engine: Entity = {"@id": base.ENGINE_RUN, "@type": "OrganizeAction", "name": "Run of Snakemake"}
    engine |= {"instrument": ref(base.ENGINE), "result": ref(base.RUN), "object": refs(jobs.controls)}
    return [run | times | about, engine | times]


def _ends(nodes: Sequence[Node]) -> tuple[str, str]:
    """Start of the first job and end of the last one."""
    made = [node.computation or {} for node in nodes]
    return min(str(one["start"]) for one in made), max(str(one["end"]) for one in made)


def _describe_stages(jobs: Jobs, root: Path) -> None:
    """What each stage does, from its file's first line; its place in the order."""
    for position, (stage, codes) in enumerate(jobs.stages.items()):
        if len(codes) == 1 and None not in codes:
            jobs.entities[base.local("stage", stage)]["softwareVersion"] = next(iter(codes))
        jobs.entities[base.local("step", stage)]["position"] = str(position)
        path = root / "workflow_scripts" / "stages" / f"{stage}.py"
        if path.is_file():
            doc = ast.get_docstring(ast.parse(path.read_bytes())) or ""
            jobs.entities[base.local("stage", stage)]["description"] = doc.split("\n")[0]
