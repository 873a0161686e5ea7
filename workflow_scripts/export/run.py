"""The run that is exported: found by its path, refused unless it is finished and up to date; and which images it
learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from pydantic import ValidationError

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.code_equivalence import counted_code
from workflow_scripts.core.digest import Uses, uses_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.export.finished import checked_root
from workflow_scripts.models.networks.view import View
from workflow_scripts.pretraining.data.inputs import read_captions, read_common, read_labels, read_pairing
from workflow_scripts.pretraining.data.pairing import among, rows_of
from workflow_scripts.pretraining.method import LabelSettings
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.provenance.nodes import REPORT, Node, ancestors, inputs_of, load, locate, read_node
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
    """

    node: Node
    behind: Mapping[Path, Node]
    metadata: dict[str, Any]
    checkpoint: str
    scores: Sequence[dict[str, Any]]
    root: str

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
    def view(self) -> View:
        """How evaluation saw images; of a run that was not evaluated, with its own size and nothing cropped."""
        for path in sorted((self.node.study / "features").glob(f"{self.name}.{self.checkpoint}.*{MANIFEST}")):
            for source in inputs_of(read_node(path)):
                if source.name == "images" and source.node is not None and source.node.record is not None:
                    seen = source.node.record["settings"]
                    return View.model_validate({name: seen[name] for name in View.model_fields})
        size = int(self.metadata["preprocessing"]["size"])
        return View(size=size, side=size, resize="bilinear")

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
    behind = {artifact.path: artifact for artifact in sorted(ancestors([node]).values(), key=lambda one: one.label)}
    for artifact in behind.values():
        reason = artifact.manifest_file.fault or artifact.record_file.fault or _stale(artifact, behind, units)
        if reason:
            raise PipelineError("run that is out of date", artifact.path, reason, AGAIN)
    metadata = read_json(Artifact(node.path).path("/run.json"), AGAIN)
    if metadata["method"] == "external":
        advice = "publish the network where it comes from; its run only evaluates it"
        raise PipelineError("network from elsewhere", node.path, metadata["backbone"], advice)
    rows, root = _summary(node), checked_root(node.study, load(node.study))
    name = checkpoint or _shown(node, rows)
    if name not in metadata["checkpoints"]:
        advice = f"choose from {', '.join(sorted(metadata['checkpoints']))}"
        raise PipelineError("unknown checkpoint", node.path, name, advice)
    kept, own = metadata["checkpoints"], [row for row in rows if row["run"] == node.name]
    same = {row["step"] for row in own if kept.get(row["step"]) == kept[name]}  # such as best and last: equal weights
    scores = [row for row in own if row["step"] == (name if name in same else min(same, default=name))]
    return Run(node, behind, metadata, name, scores, root)


def recorded_settings(run: Node) -> Pretrain:
    """The settings that a run was trained with.

    Raises:
        PipelineError: they were valid then and are not now.
    """
    try:
        return Pretrain.model_validate((run.record or {})["settings"])
    except ValidationError as error:
        value = "; ".join(fault["msg"] for fault in error.errors())
        advice = "export it with the version that trained it, or train it with other settings"
        raise PipelineError("settings that are refused now", run.path, value, advice) from None


def learned_keys(behind: Mapping[Path, Node]) -> list[str]:
    """Sorted keys of the images that a run trained on, as a source or a partner of a pair; none of an untrained one.

    Included are those of other runs whose networks are encoders of its pairs. Images with an empty caption are listed
    too where a method learns from vectors of captions, which leaves them out.

    Args:
        behind: the run and all that it was made from, by path.

    Raises:
        PipelineError: an input is missing or damaged, or settings of a run are refused now.
    """
    return sorted(set().union(*(_own(node, behind) for node in behind.values() if node.stage == STAGE)))


def _own(run: Node, known: Mapping[Path, Node]) -> set[str]:
    inputs = {source.name: source.path for source in inputs_of(run, known) if source.path is not None}
    settings = recorded_settings(run)
    if not settings.trains or "images" not in inputs:
        return set()
    keys = pq.read_table(Artifact(inputs["images"]).path(".parquet"), columns=["key"])["key"]
    if isinstance(settings.head, LabelSettings):
        pairing, _ = read_labels(settings.head.label, keys, Artifact(inputs["truth"]).path(".truth.parquet"))
    else:
        paired = Artifact(inputs["pairs"]).path(".parquet") if "pairs" in settings.inputs else None
        pairing = read_pairing(settings, keys, paired)
    if "captions" in settings.inputs:
        pairing, _ = read_captions(pairing, keys, Artifact(inputs["captions"]).path(".parquet"))
    if "tokens" in settings.inputs:
        path = Artifact(inputs["tokens"]).path(".parquet")
        captioned = pq.read_table(path, columns=["key", "tokens"], filters=[("tokens", ">", 0)])["key"]
        pairing, _ = among(pairing, rows_of(keys, captioned, path))
    if "common" in inputs:
        pairing, _ = read_common(pairing, keys, Artifact(inputs["common"]).path(".parquet"))
    used = np.union1d(pairing.sources, pairing.targets)
    return set(keys.take(used).to_pylist())


def _node(path: Path) -> Node:
    try:
        node = locate(path).node
    except PipelineError:
        finished = sorted(manifest.name.removesuffix(MANIFEST) for manifest in path.parent.glob(f"*{MANIFEST}"))
        names = ", ".join([*finished[:SHOWN], *(["..."] if finished[SHOWN:] else [])]) or "none"
        advice = f"give results/STUDY/{STAGE}/RUN, or train it with snakemake; finished runs: {names}"
        raise PipelineError("no finished run", path, "it has no manifest", advice) from None
    if node.stage != STAGE:
        advice = f"give a run, such as {node.study / STAGE}/NAME"
        raise PipelineError("not a run", path, f"it belongs to {node.label}", advice)
    return node


def _stale(node: Node, behind: Mapping[Path, Node], units: "Units | None") -> str | None:
    """Why Snakemake would recompute an artifact; None if it would not."""
    record = node.record or {}
    for source in inputs_of(node, behind):
        if source.path is not None and source.node is None:
            return f"made from {source.label}, which is missing"
        if source.node is not None and source.node.hash != source.recorded_hash:
            return f"made from another version of {source.label}"
    if record["code"] != _code(node.stage, node.study.parent, uses_of(record.get("uses", {}))):
        return "made by other code"
    if units is None or not units.holds(node.stage, node.name):
        return None
    try:
        differ = other_settings(record, node.stage, units.settings(node.stage, record["unit"]))
    except KeyError as error:
        return f"the current config has no such unit ({error})"
    return f"made with other settings ({'; '.join(differ)})" if differ else None


@cache
def _code(stage: str, results: Path, uses: Uses) -> str:
    try:
        return counted_code(stage, results, uses)
    except OSError:
        return ""  # the stage no longer exists


def _summary(run: Node) -> list[dict[str, Any]]:
    """Rows of the study's summary, which has read this very run."""
    path = run.study / "summary" / f"summary{MANIFEST}"
    if not path.exists():
        raise PipelineError("unfinished study", run.study, "it has no summary yet", "run snakemake to the end")
    read = {source.path: source.recorded_hash for source in inputs_of(read_node(path))}
    if read.get(run.path) != run.hash:
        raise PipelineError("summary that is out of date", path, f"it has not read {run.label} as it is now", AGAIN)
    return list(pq.read_table(Artifact(path).path(".parquet")).to_pylist())


def _shown(run: Node, rows: Sequence[dict[str, Any]]) -> str:
    """The checkpoint that the report shows of a run."""
    stage, name = REPORT.split("/")
    record = read_node(run.study / stage / f"{name}{MANIFEST}").record or {}
    wanted = str(record.get("settings", {}).get("headline_step", "last"))
    return headline_step(rows, run.name, wanted) or wanted
