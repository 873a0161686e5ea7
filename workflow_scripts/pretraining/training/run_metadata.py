"""What a run publishes in addition to its weights: its metadata and its curve."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from workflow_scripts.models.backbones import grad_cam_layer
from workflow_scripts.models.preprocessing import preprocessing
from workflow_scripts.pretraining.monitor.collapse import STATISTICS, first_collapse
from workflow_scripts.pretraining.network import seeded_backbone
from workflow_scripts.pretraining.schedule import Schedule
from workflow_scripts.pretraining.settings import Pretrain

CURVE = pa.schema(
    {"step": pa.int32(), "loss": pa.float64(), "lr": pa.float64(), "images": pa.int64(), "knn_accuracy": pa.float64()}
    | dict.fromkeys(STATISTICS, pa.float64())
)


def curve_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The training curve. loss is the mean since the previous row, null at step 0; knn_accuracy and the statistics of
    features are null between probes; lr is that of the step; images are the sources seen so far."""
    return pa.Table.from_pylist(rows, CURVE)


def kept_checkpoints(settings: Pretrain, schedule: Schedule, outcome: dict[str, Any]) -> dict[str, int]:
    """Name -> step of the checkpoints that a run has kept; a run that stopped early lacks the later ones."""
    kept = {name: step for step, name in schedule.kept.items() if step <= outcome["step"]}
    best = {"best": outcome["best_step"]} if settings.probe is not None else {}
    return {**kept, **best, "last": outcome["step"]}


def about_backbone(settings: Pretrain) -> dict[str, Any]:
    """What ``run.json`` says about a backbone that is built here."""
    network, width = seeded_backbone(settings.backbone, settings.seed, settings.image_size)
    return {
        "backbone": settings.backbone,
        "feature_dim": width,
        "layer": grad_cam_layer(settings.backbone, network),
        "preprocessing": preprocessing(settings.image_size),
    }


def run_metadata(
    settings: Pretrain,
    about: Mapping[str, Any],
    schedule: Schedule,
    outcome: dict[str, Any],
    facts: Mapping[str, float],
) -> dict[str, Any]:
    """``run.json``: what is needed to use the weights, and how the run ended.

    Keys: backbone, feature_dim, layer (that of Grad-CAM), preprocessing (size, resize, crop, mean, std), of a network
    from elsewhere also options and features (:mod:`workflow_scripts.models.external`), method, pairs,
    augmentation, seed, batch_size, steps (planned), epochs (if the config gives them), steps_done, stopped_early,
    checkpoints (name -> step number), best_knn_accuracy (null without probe), collapsed_step (the first
    step at which features look collapsed, or null), and ``facts``: counts of pairs, and what follows from captions
    (``Objective.calibrate``).
    """
    return {
        **about,
        "method": settings.method,
        "pairs": settings.pairs,
        "augmentation": settings.augmentation,
        "seed": settings.seed,
        "batch_size": settings.batch_size,
        "steps": schedule.steps,
        **({"epochs": settings.epochs} if settings.epochs is not None else {}),
        "steps_done": outcome["step"],
        "stopped_early": outcome["stopped"],
        "checkpoints": kept_checkpoints(settings, schedule, outcome),
        "best_knn_accuracy": outcome["best"],
        "collapsed_step": first_collapse(outcome["curve"]),
        **facts,
    }
