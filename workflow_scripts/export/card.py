"""The model card of an exported network: what it learned from, how, how it scores, and its limits."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from markupsafe import Markup

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import MEAN, SUPERVISED, UNTRAINED, probe_objective
from workflow_scripts.export.folder import removed_section
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.export.markdown import render
from workflow_scripts.export.run import STAGE, Run, recorded_settings
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.schedule import steps_per_epoch
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.provenance.nodes import Node, inputs_of
from workflow_scripts.provenance.why import annotation_zips
from workflow_scripts.reporting.references import bibliography, cited_for
from workflow_scripts.reporting.sections.headline import FAMILIES, family
from workflow_scripts.reporting.text import visible, words
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.study.methods import arm_text

UNKNOWN = "unknown: set it with --licence"
GROUPS = 20  # subreddits that the card lists
TASK = "image-classification"
REDCAPS = "kdexd/red_caps"  # on the hub
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


def model_card(run: Run, licence: str, facts: Mapping[str, Any]) -> str:
    """``README.md`` as the Hugging Face hub and GitHub show it.

    Args:
        licence: of the network, as the user gives it.
        facts: ``recipe``, by which the network is built; ``width`` of its features; ``view``, how evaluation saw
            images; ``timm``, whether timm loads it; ``learned``, the number of images that it, and networks behind its
            pairs, learned from; ``sha256`` of the file of weights.
    """
    settings, recorded = run.settings, run.node.computation or {}
    data, scores, pairs = _data(run), _scores(run), _pairs(run)
    unlabelled = settings["method"] not in (SUPERVISED, UNTRAINED) and not pairs["labels"]
    context = {
        **facts,
        "licence": licence,
        "untrained": settings["method"] == UNTRAINED,
        "header": Markup(header(run.name, unlabelled, licence, facts["timm"], scores, data)),
        "weights": WEIGHTS,
        "run": run,
        "about": run.metadata,
        "settings": settings,
        "method": METHODS[settings["method"]],
        "augmentation": AUGMENTATIONS[settings["augmentation"]],
        "data": data,
        "pairs": pairs,
        "encoders": sorted({node.name for node in run.of_stage(STAGE)} - {run.name}),
        "budget": _budget(run),
        "scores": scores,
        "citation": Markup(bibliography(cited_for("study", f"method:{settings['method']}"))),
        "chosen_on": sorted({row["chosen_on"] for row in run.scores if row["chosen_on"]}),
        "day": str(recorded.get("end", ""))[:10],
        "git": recorded.get("git") or {},
        "environment": recorded.get("environment") or {},
        "removed": removed_section({}),
    }
    return render("README.md", context)


def header(
    name: str,
    self_supervised: bool,
    licence: str,
    in_timm: bool,
    scores: Sequence[Mapping[str, Any]],
    data: Mapping[str, Any],
) -> str:
    """The lines between which the hub reads licence, library, training data and results.

    Args:
        name: of the run.
        self_supervised: whether it was trained, and without labels.
        scores: what :func:`_scores` gives; those of saliency are no task of the hub, and means no data set.
        data: what :func:`_data` gives.
    """
    spdx = "unknown" if licence == UNKNOWN else licence if _ID.fullmatch(licence) else "other"
    files = [str(one["file"]).lower() for one in data["files"]]
    redcaps = not data["synthetic"] and any(file.startswith("redcaps") and file.endswith(".zip") for file in files)
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=visible(row["dataset"]),
            dataset_name=visible(row["dataset"]),
            dataset_split="test",
            metric_type="accuracy",
            metric_name=f"{row['family']}, {words(row['metric'].rpartition('.')[2])}, %",
            metric_value=round(100 * row["value"], 2),
        )
        for row in scores
        if row["family"] != FAMILIES["saliency"] and row["dataset"] != MEAN and row["value"] is not None
    ]
    return ModelCardData(
        license=spdx,
        license_name=visible(licence) if spdx == "other" else None,
        library_name="timm" if in_timm else "pytorch",
        pipeline_tag="image-feature-extraction",
        tags=[*(["self-supervised"] if self_supervised else []), "faithful-pairs"],
        datasets=[REDCAPS] if redcaps else None,
        metrics=["accuracy"] if results else None,
        model_name=name if results else None,
        eval_results=results or None,
    ).to_yaml()


def _data(run: Run) -> dict[str, Any]:
    """Counts of rows and images, by year and subreddit; what was left out, by reason."""
    found: dict[str, Any] = {"years": [], "groups": [], "more_groups": 0, "rows": 0, "excluded": 0, "images": 0}
    for node in run.of_stage("annotations"):
        counts = json.loads(Artifact(node.path).path(".json").read_bytes())
        groups = sorted(counts["subreddits"].items(), key=lambda group: (-group[1], group[0]))
        found |= {
            "years": sorted(counts["years"].items()),
            "groups": groups[:GROUPS],
            "more_groups": len(groups[GROUPS:]),
            "rows": counts["rows"],
            "excluded": counts["apart"].get("excluded", 0),
        }
    for node in run.of_stage("image_index") or run.of_stage("pack_index"):
        found["images"] = node.manifest["rows"].get("out", 0)
    dropped = run.node.manifest["rows"].get("dropped", {})
    found["files"] = annotation_zips(run.behind.values())
    return {**found, "dropped": sorted(dropped.items()), "synthetic": bool(run.of_stage("demo_world"))}


def _pairs(run: Run) -> dict[str, Any]:
    """The pair table and the arm of captions that the run learned from, where it has them."""
    found: dict[str, Any] = {"kind": run.settings["pairs"], "table": None, "arm": None, "labels": False}
    own = {name: _input(run, run.node, name) for name in ("pairs", "captions", "vectors", "tokens")}
    table, of_table = own["pairs"], None
    if table is not None and table.stage == "pair_table":
        settings = (table.record or {})["settings"]
        kind = PAIR_KINDS[settings["kind"]]
        found["labels"] = kind.needs_labels
        found["table"] = {"name": table.name, "summary": kind.summary, "k": settings["k"], "scope": settings["scope"]}
        of_table = _input(run, table, "vectors") if kind.name == "nearest" else None
        found["encoder"] = of_table.name if of_table is not None else ""
    behind = (_input(run, made, "captions") for made in (own["vectors"], own["tokens"], of_table))
    captions = own["captions"] or next(filter(None, behind), None)
    if captions is not None and captions.stage == "select_captions":
        of_arm = (captions.record or {})["settings"]
        summary = arm_text(of_arm["kind"], of_arm.get("judge"), of_arm.get("base"))
        found["arm"] = {"name": captions.name, "summary": summary}
    return found


def _input(run: Run, node: Node | None, name: str) -> Node | None:
    """What an artifact was made from, if there are both."""
    inputs = [] if node is None else inputs_of(node, run.behind)
    return next((found.node for found in inputs if found.name == name), None)


def _budget(run: Run) -> dict[str, Any]:
    """Steps, images seen and epochs up to the checkpoint."""
    about = run.metadata
    steps, batch = about["checkpoints"][run.checkpoint], about["batch_size"]
    views = len(recorded_settings(run.node).views)
    images = run.node.manifest["rows"].get("out", 0)
    epochs = Markup(f"{steps / steps_per_epoch(images, batch):.3g}") if images else None
    return {"steps": steps, "batch": batch, "views": views, "seen": steps * batch * views, "epochs": epochs}


def _scores(run: Run) -> list[dict[str, Any]]:
    """The report's main scores of the checkpoint, with their intervals over test items."""
    objective = probe_objective(row["metric"] for row in run.scores)
    return [
        {**row, "family": FAMILIES[kind]}
        for row in run.scores
        if (kind := family(row["metric"], objective)) in FAMILIES
    ]
