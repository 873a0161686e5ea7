"""The model card of an exported network: what it learned from, how, how it scores, and its limits."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import probe_objective
from workflow_scripts.export.architecture import Recipe
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.export.markdown import render
from workflow_scripts.export.removed import removed_section
from workflow_scripts.export.run import STAGE, Run, recorded_settings
from workflow_scripts.models.networks.view import View
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.provenance.nodes import Node, inputs_of, read_node
from workflow_scripts.provenance.why import annotation_zips
from workflow_scripts.reporting.sections.headline import FAMILIES, family
from workflow_scripts.reporting.text import visible
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.select_captions import ARM_KINDS

UNKNOWN = "unknown: set it with --licence"
GROUPS = 20  # subreddits that the card lists
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


class Card(NamedTuple):
    """What the card needs besides the run.

    Attributes:
        recipe: how the network is built.
        width: of its features.
        view: how evaluation saw images.
        timm: whether timm loads it.
        licence: of the network, as the user gives it.
        learned: number of images that it, and networks behind its pairs, learned from.
        sha256: of the file of weights.
    """

    recipe: Recipe
    width: int
    view: View
    timm: bool
    licence: str
    learned: int
    sha256: str


def model_card(run: Run, card: Card) -> str:
    """``README.md`` as the Hugging Face hub and GitHub show it."""
    return render(
        "README.md",
        {
            **card._asdict(),
            "header": Markup(_header(card)),
            "weights": WEIGHTS,
            "run": run,
            "about": run.metadata,
            "settings": run.settings,
            "method": METHODS[run.settings["method"]],
            "augmentation": AUGMENTATIONS[run.settings["augmentation"]],
            "data": _data(run),
            "pairs": _pairs(run),
            "encoders": sorted({node.name for node in run.of_stage(STAGE)} - {run.name}),
            "budget": _budget(run),
            "scores": _scores(run),
            "chosen_on": sorted({row["chosen_on"] for row in run.scores if row["chosen_on"]}),
            "made": _made(run.node),
            "removed": removed_section({}),
        },
    )


def _header(card: Card) -> str:
    """The lines between which the hub reads licence and library; JSON texts of visible characters are also YAML."""
    known = _ID.fullmatch(card.licence)
    licence = "unknown" if card.licence == UNKNOWN else card.licence if known else "other"
    return "\n".join(
        [
            f"license: {json.dumps(licence)}",
            *([f"license_name: {json.dumps(visible(card.licence), ensure_ascii=False)}"] if licence == "other" else []),
            f"library_name: {'timm' if card.timm else 'pytorch'}",
            "pipeline_tag: image-feature-extraction",
            "tags: [self-supervised, faithful-pairs]",
        ]
    )


def _data(run: Run) -> dict[str, Any]:
    """Counts of rows and images, by year and subreddit; what was left out, by reason."""
    found: dict[str, Any] = {"years": [], "groups": [], "more_groups": 0, "rows": 0, "excluded": 0, "images": 0}
    for node in run.of_stage("annotations"):
        told = json.loads(Artifact(node.path).path(".json").read_bytes())
        groups = sorted(told["subreddits"].items(), key=lambda one: (-one[1], one[0]))
        found |= {"years": sorted(told["years"].items()), "groups": groups[:GROUPS], "rows": told["rows"]}
        found |= {"more_groups": len(groups[GROUPS:]), "excluded": told["apart"].get("excluded", 0)}
    for node in run.of_stage("image_index") or run.of_stage("pack_index"):
        found["images"] = node.manifest["rows"].get("out", 0)
    dropped = run.node.manifest["rows"].get("dropped", {})
    found["files"] = annotation_zips(run.behind.values())
    return {**found, "dropped": sorted(dropped.items()), "synthetic": bool(run.of_stage("demo_world"))}


def _pairs(run: Run) -> dict[str, Any]:
    """The pair table and the arm of captions that the run learned from, where it has them."""
    found: dict[str, Any] = {"kind": run.settings["pairs"], "table": None, "arm": None}
    table, captions = _input(run, run.node, "pairs"), None
    if table is not None and table.stage == "pair_table":
        settings = (table.record or {})["settings"]
        kind = PAIR_KINDS[settings["kind"]]
        found["table"] = {"name": table.name, "summary": kind.summary, "k": settings["k"], "scope": settings["scope"]}
        vectors = _input(run, table, "vectors") if kind.name == "nearest" else None
        found["encoder"] = vectors.name if vectors is not None else ""
        captions = _input(run, vectors, "captions") if vectors is not None else None
    for name in ("tokens", "vectors"):
        made = _input(run, run.node, name)
        captions = (_input(run, made, "captions") if made is not None else None) or captions
    captions = _input(run, run.node, "captions") or captions
    if captions is not None and captions.stage == "select_captions":
        kind_of = ARM_KINDS[(captions.record or {})["settings"]["kind"]]
        found["arm"] = {"name": captions.name, "summary": kind_of.summary}
    return found


def _input(run: Run, node: Node, name: str) -> Node | None:
    return next((one.node for one in inputs_of(node, run.behind) if one.name == name), None)


def _budget(run: Run) -> dict[str, Any]:
    """Steps, images seen and epochs up to the checkpoint."""
    about = run.metadata
    steps, batch = about["checkpoints"][run.checkpoint], about["batch_size"]
    views = len(recorded_settings(run.node).views)
    images = run.node.manifest["rows"].get("out", 0)
    epochs = Markup(f"{steps * batch / images:.3g}") if images else None
    return {"steps": steps, "batch": batch, "views": views, "seen": steps * batch * views, "epochs": epochs}


def _scores(run: Run) -> list[dict[str, Any]]:
    """The report's main scores of the checkpoint, with their intervals over test items."""
    objective = probe_objective(row["metric"] for row in run.scores)
    return [
        {**row, "family": FAMILIES[kind]}
        for row in run.scores
        if (kind := family(row["metric"], objective)) in FAMILIES
    ]


def _made(node: Node) -> Mapping[str, Any]:
    """When, by which code and on what the run was trained."""
    record = node.computation or {}
    git, environment = record.get("git") or {}, record.get("environment") or {}
    return {
        "end": str(record.get("end", ""))[:10],
        "commit": git.get("commit") or "unknown",
        "dirty": bool(git.get("dirty")),
        "torch": environment.get("packages", {}).get("torch", "unknown"),
        "device": environment.get("device", "unknown"),
    }


def view_of_run(run: Run) -> View:
    """How evaluation saw images; of a run that was not evaluated, with its own size and nothing cropped."""
    for path in sorted((run.node.study / "features").glob(f"{run.name}.{run.checkpoint}.*.manifest.json")):
        images = _features_input(path)
        if images is not None:
            return View.model_validate({name: images[name] for name in View.model_fields})
    size = int(run.metadata["preprocessing"]["size"])
    return View(size=size, side=size, resize="bilinear")


def _features_input(manifest: Path) -> dict[str, Any] | None:
    images = next((one.node for one in inputs_of(read_node(manifest)) if one.name == "images"), None)
    return None if images is None or images.record is None else dict(images.record["settings"])
