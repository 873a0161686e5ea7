"""The run that is exported: found by its path, and refused unless it is finished and up to date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact
from workflow_scripts.core.code_equivalence import counted_code
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.provenance.nodes import REPORT, Node, inputs_of, load, locate, read_node, study_root
from workflow_scripts.provenance.why import Chain
from workflow_scripts.reporting.sections.headline import headline_step
from workflow_scripts.study.active_config import units_of
from workflow_scripts.study.freshness import other_settings

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units

STAGE = "pretrain"
SHOWN = 5  # names in an error
AGAIN = "run snakemake, then export again; after an edit that can't change results, see faithful-pairs accept"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        node: its artifact.
        behind: the artifact and all that it was made from, by the paths of their manifests.
        metadata: its ``run.json``.
        checkpoint: name of the exported one.
        scores: rows of the summary of this checkpoint.
        root: root hash of the study.
        units: the study by its current config; None if that is not known.
    """

    node: Node
    behind: Mapping[Path, Node]
    metadata: dict[str, Any]
    checkpoint: str
    scores: Sequence[dict[str, Any]]
    root: str
    units: "Units | None"

    @property
    def name(self) -> str:
        """Its name in the study."""
        return self.node.name

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of its training."""
        return dict((self.node.record or {})["settings"])

    @property
    def weights(self) -> Path:
        """The checkpoint's file, verified."""
        return Artifact(self.node.path).path(f"/{self.checkpoint}.safetensors")

    @property
    def about(self) -> Path:
        """Its ``run.json``, verified."""
        return Artifact(self.node.path).path("/run.json")

    def of_stage(self, stage: str) -> list[Node]:
        """The artifacts of a stage that it was made from."""
        return [node for node in self.behind.values() if node.stage == stage]


def find_run(path: Path, checkpoint: str | None = None) -> Run:
    """The run at ``path`` (its folder, manifest or one of its files), checked.

    Args:
        checkpoint: name of the exported one; None: the one that the report shows.

    Raises:
        PipelineError: there is no such run, it was trained elsewhere, is unfinished, out of date or no longer in the
            config, its study has no report, or it kept no such checkpoint.
    """
    node = _node(path.absolute())
    units = units_of(node.study.parent, node.study.name)
    if units is not None and not units.holds(STAGE, node.name):
        advice = "add it to runs again, or give one of the runs that the config has"
        raise PipelineError("removed run", node.path, "the current config has no such run", advice)
    chain = Chain()
    chain.root(node)
    behind = {one.path: one for one in chain.nodes()}
    for one in behind.values():
        reason = one.manifest_fault or one.record_fault or _stale(one, behind, units)
        if reason:
            raise PipelineError("run that is out of date", one.path, reason, AGAIN)
    metadata = read_json(Artifact(node.path).path("/run.json"), AGAIN)
    if metadata["method"] == "external":
        advice = "publish the network where it comes from; its run only evaluates it"
        raise PipelineError("network from elsewhere", node.path, metadata["backbone"], advice)
    rows, root = _summary(node), _root(node.study)
    name = checkpoint or _shown(node, rows)
    if name not in metadata["checkpoints"]:
        advice = f"choose from {', '.join(sorted(metadata['checkpoints']))}"
        raise PipelineError("unknown checkpoint", node.path, name, advice)
    scores = [row for row in rows if (row["run"], row["step"]) == (node.name, name)]
    return Run(node, behind, metadata, name, scores, root, units)


def recorded_settings(run: Node) -> Pretrain:
    """The settings that a run was trained with.

    Raises:
        PipelineError: they were valid then and are not now.
    """
    try:
        return Pretrain.model_validate((run.record or {})["settings"])
    except ValidationError as error:
        value = "; ".join(one["msg"] for one in error.errors())
        advice = "export it with the version that trained it, or train it with other settings"
        raise PipelineError("settings that are refused now", run.path, value, advice) from None


def _node(path: Path) -> Node:
    try:
        node = locate(path).node
    except PipelineError:
        raise _no_run(path) from None
    if node.stage != STAGE:
        advice = f"give a run, such as {node.study / STAGE}/NAME"
        raise PipelineError("not a run", path, f"it belongs to {node.label}", advice)
    return node


def _no_run(path: Path) -> PipelineError:
    """Why there is no artifact: the run has not finished, or does not exist."""
    name, study = path.name.removesuffix(MANIFEST).removesuffix(RUN), path.parent.parent
    if path.parent.name != STAGE:
        return PipelineError("no run", path, "it is not in a folder pretrain", "give results/STUDY/pretrain/RUN")
    units = units_of(study.parent, study.name)
    if units is not None and name in (units.names(STAGE) or []):
        advice = f"train it with: snakemake {path.with_name(name + MANIFEST)}"
        return PipelineError("unfinished run", path, "the config has it, but it has no manifest", advice)
    finished = [one.name.removesuffix(MANIFEST) for one in sorted(path.parent.glob(f"*{MANIFEST}"))]
    shown = ", ".join([*finished[:SHOWN], *(["..."] if finished[SHOWN:] else [])]) or "none"
    return PipelineError("no such run", path, "neither the config nor the results have it", f"finished runs: {shown}")


def _stale(node: Node, behind: Mapping[Path, Node], units: "Units | None") -> str | None:
    """Why Snakemake would recompute an artifact; None if it would not."""
    record = node.record or {}
    for one in inputs_of(node, behind):
        if one.path is not None and one.node is None:
            return f"made from {one.label}, which is missing"
        if one.node is not None and one.node.hash != one.recorded_hash:
            return f"made from another version of {one.label}"
    if record["code"] != _code(node.stage, node.study.parent):
        return "made by other code"
    if units is None or not units.holds(node.stage, node.name):
        return None
    try:
        differ = other_settings(record, node.stage, units.settings(node.stage, record["unit"]))
    except KeyError as error:
        return f"the current config has no such unit ({error})"
    return f"made with other settings ({'; '.join(differ)})" if differ else None


@cache
def _code(stage: str, results: Path) -> str:
    try:
        return counted_code(stage, results)
    except OSError:
        return ""  # the stage no longer exists


def _summary(run: Node) -> list[dict[str, Any]]:
    """Rows of the study's summary, which has read this very run."""
    path = run.study / "summary" / f"summary{MANIFEST}"
    if not path.exists():
        raise PipelineError("unfinished study", run.study, "it has no summary yet", "run snakemake to the end")
    read = {one.path: one.recorded_hash for one in inputs_of(read_node(path))}
    if read.get(run.path) != run.hash:
        raise PipelineError("summary that is out of date", path, f"it has not read {run.label} as it is now", AGAIN)
    return list(pq.read_table(Artifact(path).path(".parquet")).to_pylist())


def _root(study: Path) -> str:
    nodes = load(study)
    if REPORT not in {node.label for node in nodes}:
        raise PipelineError("unfinished study", study, "it has no report yet", "run snakemake to the end")
    root, _ = study_root(nodes)
    if root is None:
        advice = "run snakemake; it restores or recomputes them"
        raise PipelineError("incomplete study", study, "artifacts behind the report are missing", advice)
    return root


def _shown(run: Node, rows: Sequence[dict[str, Any]]) -> str:
    """The checkpoint that the report shows of a run."""
    stage, name = REPORT.split("/")
    record = read_node(run.study / stage / f"{name}{MANIFEST}").record or {}
    wanted = str(record.get("settings", {}).get("headline_step", "last"))
    return headline_step(rows, run.name, wanted) or wanted
