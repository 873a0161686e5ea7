"""What a run publishes in addition to its weights: its metadata and its curve."""

from typing import Any

import pyarrow as pa

from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.models.preprocessing import preprocessing
from workflow_scripts.pretraining.settings import Pretrain, step_name

CURVE = pa.schema(
    [
        ("step", pa.int32()),
        ("loss", pa.float64()),
        ("lr", pa.float64()),
        ("images", pa.int64()),
        ("knn_accuracy", pa.float64()),
    ]
)


def curve_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The training curve: loss is the mean since the row before, null at step 0; knn_accuracy is null between probes;
    lr that of the step; images are sources seen so far."""
    return pa.Table.from_pylist(rows, CURVE)


def kept_checkpoints(settings: Pretrain, outcome: dict[str, Any]) -> list[int | str]:
    """The checkpoints that a run has kept; a run that stopped early lacks the later steps."""
    return [step for step in settings.kept if isinstance(step, str) or step <= outcome["step"]]


def run_metadata(settings: Pretrain, outcome: dict[str, Any]) -> dict[str, Any]:
    """``run.json``: what is needed to use the weights, and how the run ended.

    Keys: backbone, feature_dim, layer (the last convolutional stage), preprocessing (size, resize, crop, mean, std),
    method, pairs, augmentation, seed, batch_size, steps (planned), steps_done, stopped_early, checkpoints (name ->
    step number), best_knn_accuracy (null without probe).
    """
    numbers: dict[int | str, int] = {"last": outcome["step"], "best": outcome["best_step"]}
    kept = {step_name(step): numbers.get(step, step) for step in kept_checkpoints(settings, outcome)}
    backbone = BACKBONES[settings.backbone]
    return {
        "backbone": backbone.name,
        "feature_dim": backbone.features,
        "layer": backbone.stages[-1],
        "preprocessing": preprocessing(settings.image_size),
        "method": settings.method,
        "pairs": settings.pairs,
        "augmentation": settings.augmentation,
        "seed": settings.seed,
        "batch_size": settings.batch_size,
        "steps": settings.steps,
        "steps_done": outcome["step"],
        "stopped_early": outcome["stopped"],
        "checkpoints": kept,
        "best_knn_accuracy": outcome["best"],
    }
