"""The workload of each job of a study, as far as the config determines it: the basis of cost and disk estimates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.evaluation.datasets.registry import known_set
from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.pretraining.schedule import steps_per_epoch
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.stages.tokenizer import CLIPS
from workflow_scripts.study.scoring import shards_of
from workflow_scripts.study.units import Units

ASSUMED_BACKBONE = BACKBONES["resnet50"]  # of a library's architectures, whose size is not known here
# JPEG of quality 90: bytes per squared longer side (60 Flickr photos scaled to 256 px: 0.23, to 512 px: 0.14).
JPEG_BYTES = 0.2
ASSUMED_IMAGES, ASSUMED_MASKS, ASSUMED_TESTED = 20_000, 1_000, 5_000  # of a dataset that is not public


def loads(units: Units, stage: Stage, names: Sequence[str], rows: float, images: float) -> Iterator[tuple[Load, int]]:
    """The distinct loads of a stage's jobs, each with its number of jobs.

    Args:
        names: names of the artifacts; shards are assumed to be equally large.
        rows: annotation rows of all shards together, or of each job that is not per shard.
        images: those of them whose image is still available.
    """
    if stage.unit == ("shard",):
        if names:
            yield load_of(units, stage, units.shards[0], rows, images, len(names)), len(names)
        return
    for name in names:
        yield load_of(units, stage, name, rows, images, parts_of(units, stage.unit_of(name))), 1


def parts_of(units: Units, unit: Mapping[str, str]) -> float:
    """By what the study's rows are divided to give those of a job that is not per shard.

    Args:
        unit: of the job. A block has as large a share of the rows as of the shards.
    """
    return len(units.shards) / len(shards_of(unit["block"])) if "block" in unit else 1


def dataset_contents(units: Units, dataset: str) -> tuple[int, int, int]:
    """Numbers of images, masks and test images in a downstream dataset; assumed if unknown."""
    settings, world = next(one for one in units.study.datasets if one.name == dataset), units.study.demo_world
    if world is not None and KINDS[settings.kind].from_world:
        return world.probe_train + world.probe_test, world.masks if settings.masks else 0, world.probe_test
    row = known_set(settings.kind, settings.name, settings.torchvision_name)
    if row is not None:
        return row.images, row.masks, row.sizes.get("test", 0)
    return ASSUMED_IMAGES, ASSUMED_MASKS if settings.has_masks else 0, ASSUMED_TESTED


def load_of(units: Units, stage: Stage, name: str, rows: float, images: float, parts: float) -> Load:
    """The load of one job. Arguments as for :func:`loads`, and by what its rows and images are divided."""
    unit = stage.unit_of(name)
    if "dataset" in unit:
        labelled, masked, tested = dataset_contents(units, unit["dataset"])
    else:
        known, checkpoints = (dataset_contents(units, name) for name in units.reported), len(units.checkpoints)
        labelled, masked, tested = (checkpoints * sum(counts) for counts in zip((0, 0, 0), *known, strict=True))
    settings = units.settings(stage.name, unit)
    load = Load(
        rows=rows / parts,
        images=images / parts,
        image_bytes=JPEG_BYTES * units.study.download.max_side**2,
        parts=parts,
        labelled=labelled,
        masked=masked,
        tested=tested,
        settings=settings,
    )
    if "run" not in unit:
        return load
    run = units.run_settings(unit["run"])
    backbone = BACKBONES.get("" if run.network else run.backbone, ASSUMED_BACKBONE)
    steps = run.steps if run.epochs is None else run.epochs * steps_per_epoch(images, run.batch_size)
    return replace(
        load,
        forward_gflop=backbone.forward_gflop,
        weights_bytes=backbone.weights_bytes,
        text_bytes=_text_bytes(units, run) if "tokens" in run.inputs else 0.0,
        features=backbone.features,
        checkpoints=len(run.kept),
        views=len(run.views),
        passes=run.passes,
        steps=steps or 0,
    )


def _text_bytes(units: Units, run: Pretrain) -> float:
    """Size of a text tower: its embeddings, and 12 width^2 weights in each layer."""
    tokenizer, head = units.study.tokenizer, cast("Any", run.head)
    width, layers = head.text_width, head.text_layers
    return 4.0 * width * ((tokenizer.vocabulary or CLIPS) + tokenizer.context + 12 * layers * width)
