"""Writes a study's crate, atomically."""

import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import move_folder_durable
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.names import CRATE
from workflow_scripts.provenance.crate.contents import METADATA, README, README_TEXT, Published, contents
from workflow_scripts.provenance.crate.metadata import describe
from workflow_scripts.provenance.nodes import REPORT, Node, ancestors, inputs_of, load

log = logging.getLogger(__name__)


def write_crate(study: Path, license: str, max_file_mb: float, published: Published) -> Path:
    """Write ``<study>/crate``; gives the path of its metadata.

    The files in it are copies: what happens to the crate does not touch the study.

    Args:
        license: the study's licence: a URL, or a sentence.
        max_file_mb: files up to this size [MB] are included; larger ones are named by hash.
        published: which files may be included.

    Raises:
        PipelineError: the folder is no study or has no artifacts, one has no readable manifest or run record, what one
            was made from is missing or has changed, a file to include is missing, or the folder of the crate
            holds other files.
    """
    nodes, advice = behind_report(load(study)), "give a study's folder, such as results/demo"
    if not nodes:
        raise PipelineError("no artifacts", study, "no manifest below it", advice)
    if any(node.study != study for node in nodes):
        raise PipelineError("not a study", study, f"{nodes[0].path} is not <stage>/<name> in it", advice)
    target = study / CRATE
    check_target(target)
    known = {node.path: node for node in nodes}
    for node in nodes:
        check_made(node, known)
    metadata, files = describe(nodes, study.resolve().name, license, published, round(max_file_mb * 1_000_000))
    part = study / f".{CRATE}.{uuid.uuid4().hex}.part"
    try:
        for name, (source, sha256) in files.items():
            _copy(source, part / name, sha256)
        (part / README).write_bytes(README_TEXT)
        (part / METADATA).write_bytes(pretty(metadata))
        move_folder_durable(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target / METADATA


def check_target(crate: Path) -> None:
    """Refuse to replace what is not a crate alone.

    Raises:
        PipelineError: a link or a file has its name, or it holds files that are not its own.
    """
    advice = "move it away"
    if crate.is_symlink() or (crate.exists() and not crate.is_dir()):
        raise PipelineError("not a folder", crate, "a link or file has the crate's name", advice)
    if foreign := contents(crate)[1]:
        raise PipelineError("folder in use", crate, f"{foreign[0]} is not part of the crate", advice)


def behind_report(nodes: Sequence[Node]) -> list[Node]:
    """The report and all that it was made from, since results of an earlier config may lie beside them; else all."""
    report = [node for node in nodes if node.label == REPORT]
    return list(ancestors(report, {node.path: node for node in nodes}).values()) if report else list(nodes)


def check_made(node: Node, known: Mapping[Path, Node]) -> None:
    """Check that it is known how an artifact was made, and that what it was made from is still there.

    Raises:
        PipelineError: it has no readable manifest or run record, or an input is missing or has changed.
    """
    fault = node.manifest_file.fault or node.record_file.fault
    times = node.computation or {}
    if fault is None and not (times.get("start") and times.get("end")):
        fault = "its run record has no times"
    if fault is not None:
        raise PipelineError("artifact without provenance", node.path, fault, f"recompute it: snakemake -f {node.path}")
    for edge in inputs_of(node, known):
        if edge.path is not None and (edge.node is None or edge.node.hash != edge.recorded_hash):
            said = "missing" if edge.node is None else "no longer the one that was read"
            value = f"{edge.name} is {said}: {edge.path}"
            raise PipelineError("study incomplete", node.path, value, "complete it first: snakemake")


def _copy(source: Path, target: Path, sha256: str) -> None:
    advice = "repair the study first: faithful-pairs audit names the fault"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise PipelineError("unreadable data file", source, error.strerror or error, advice) from None
    if (copied := file_hash(target)) != sha256:
        raise PipelineError("damaged data file", source, f"sha256 is {copied} instead of the recorded {sha256}", advice)
