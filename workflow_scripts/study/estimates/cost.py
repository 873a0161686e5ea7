"""Estimates the cost of a study on a cluster: jobs, core hours and GPU hours per stage.

An hour counts for every core and GPU that a job holds, busy or waiting. Jobs are Snakemake's; SLURM gets fewer, as the
slurm profile groups them (a group's jobs are counted in the line of its first stage).

Each stage declares the cost of a unit of its work, and the source of that figure
(:class:`workflow_scripts.core.declaration.facts.Cost`). Core times were measured (CPU time of one x86 server core, on
real photos and annotation rows if the stage reads any; figures from a finished demo study include start-up, so they are
upper bounds). GPU work was counted by torch's FlopCounterMode on the published architectures.
Neither was measured on a GPU: :data:`TFLOPS` is an assumption, and with it every GPU hour is an estimate.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from workflow_scripts.core.declaration.facts import Cost, Load
from workflow_scripts.core.declaration.parts import shards_of
from workflow_scripts.core.digest import PROJECT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.evaluation.datasets.picture_sets import is_image_name
from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.pretraining.schedule import steps_per_epoch
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.stages.tokenizer import CLIPS
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.stages import declaration, declared_stages, facts
from workflow_scripts.study.methods import is_redcaps
from workflow_scripts.study.units import Units

TFLOPS = 40.0  # sustained, mixed precision: about an eighth of an A100's peak; training of a ResNet reaches 30 to 60
CPU_TFLOPS = 0.03  # of trainings: sustained, float32, per core; assumed
SECONDS_PER_SLURM_JOB = 10.0  # start-up of a SLURM job, and of the Snakemake in it
SECONDS_PER_START = 5.0  # per job in it: start-up of another Snakemake, imports, checkpoint loading
SECONDS_PER_PROCESS = 2.0  # per job without SLURM: start-up of Python, imports
GROUPS = 350 * 13  # subreddits and years of RedCaps, at most
KEPT = 0.6  # share of RedCaps' images that still exist: about 7 of 12 million in 2024; of other sources, all count
SIZES = {"RedCaps-2020": 3_275_000, "RedCaps": 12_011_121}  # annotation rows; approximate for 2020
PROFILE = PROJECT / "profiles/slurm/profile.yaml"
COLUMNS = ("jobs", "slurm_jobs", "core_hours", "gpu_hours")


@dataclass(frozen=True)
class StageCost:
    """The cost of a stage."""

    stage: str
    jobs: int
    slurm_jobs: int
    core_hours: float
    gpu_hours: float


def costs(
    units: Units,
    rows: int,
    tflops: float = TFLOPS,
    running: Collection[tuple[str, str]] | None = None,
    device: str | None = None,
) -> list[StageCost]:
    """Cost of every stage of a study over ``rows`` annotation rows, in the order in which they run.

    A job holds its cores and GPUs for the time of the slower of the two; a download takes at least as long as the
    configured rate limit of its slowest host requires.

    Args:
        running: stage and name of the artifacts that will be made; None for all.
        device: what computes networks on this machine, where jobs start without SLURM; None for a cluster and the
            config's device, of which auto counts as a GPU.
    """
    shards = units.shards
    if running is None:
        shards = [str(number) for number in range(shards_for(units.study, rows))]
    names = {}
    for stage in declared_stages():
        made = shards if stage.unit == ("shard",) and units.names(stage.name) else units.needed(stage.name)
        names[stage.name] = [name for name in made if running is None or (stage.name, name) in running]
    submitted, found = slurm_jobs(names, _group_sizes()), []
    for stage in declared_stages():
        own = names[stage.name]
        share = len(own) / len(shards) if stage.unit == ("shard",) else 1.0
        found.append(_cost(units, stage, own, submitted[stage.name], rows * share, tflops, device))
    return found


def shards_for(study: Study, rows: int) -> int:
    """Number of shards for ``rows``: that of the config if it suffices, else that which all of RedCaps needs.

    Each subreddit and year has shards of its own, the last of them half full on average.
    """
    shards = study.shards
    full = math.ceil(rows / shards.rows_per_shard)
    return shards.shards if full <= shards.shards else full + (0 if shards.group == "all" else GROUPS // 2)


def _cost(
    units: Units, stage: Stage, names: Sequence[str], slurm: int, rows: float, tflops: float, device: str | None
) -> StageCost:
    """The cost of the jobs of a stage, whose shards have so many rows together."""
    known, compute = facts(stage.name), units.study.compute
    on_cpu = (device or compute.device) == "cpu"
    cores = known.resources.cores(compute.workers, compute.math_threads)
    core_s = gpu_s = wait_s = 0.0
    images = rows * (KEPT if is_redcaps(units.study) else 1)
    for load, count in loads(units, stage, names, rows, images, counted_contents):
        core, gpu, wait = job_seconds(known.cost, load, cores, tflops)
        if on_cpu and stage.name == "pretrain":  # cores do one after the other
            core, gpu = core + gpu * tflops / (CPU_TFLOPS * cores), 0.0
        core_s, gpu_s, wait_s = core_s + core * count, gpu_s + gpu * count, wait_s + wait * count
    apart = SECONDS_PER_START * len(names) + SECONDS_PER_SLURM_JOB * slurm
    starts = SECONDS_PER_PROCESS * len(names) if device else apart
    hours = max(max(core_s, gpu_s) + starts, wait_s) / 3600
    on_gpu = known.resources.gpu and not on_cpu
    return StageCost(stage.name, len(names), slurm, hours * cores, hours if on_gpu else 0.0)


def job_seconds(cost: Cost, load: Load, cores: int, tflops: float) -> tuple[float, float, float]:
    """Seconds that a job computes on its cores, computes on a GPU, and waits; the first two overlap."""
    done = cost.units(load)
    core_s = cost.core_ms / 1e3 * cost.core_share(load) * done / cores
    return core_s, cost.gflop(load) * done / (tflops * 1e3), cost.wait_s(load)


def slurm_jobs(names: Mapping[str, Sequence[str]], sizes: Mapping[str, int]) -> dict[str, int]:
    """Number of SLURM jobs for the artifacts of each stage.

    Args:
        names: names of the artifacts, by stage.
        sizes: maximum number of jobs of a stage in one SLURM job, by group.
    """
    made = dict.fromkeys(names, 0)
    first: dict[str, str] = {}  # stage of each group
    for stage in (stage for stage in names if not facts(stage).resources.local):
        group, declared = facts(stage).group or stage, declaration(stage)
        assert declared is not None
        # A group's name may have wildcards.
        together = Counter(group.format(**declared.unit_of(name)) for name in names[stage])
        submitted = sum(math.ceil(count / sizes.get(group, 1)) for count in together.values())
        counted = first.setdefault(group, stage)
        made[counted] = max(made[counted], submitted)
    return made


def _group_sizes() -> dict[str, int]:
    """``group-components`` of the slurm profile, which sites may change."""
    pairs = (pair.split("=") for pair in yaml.safe_load(PROFILE.read_text()).get("group-components", ()))
    return {group: int(size) for group, size in pairs}


def table(title: str, lines: Sequence[StageCost]) -> str:
    """Markdown table of costs with a sum; stages without jobs are left out."""
    total = StageCost("all", *(sum(getattr(line, name) for line in lines) for name in COLUMNS))
    head = [f"**{title}**", "", "| stage | jobs | SLURM jobs | core hours | GPU hours |", "|---|--:|--:|--:|--:|"]
    rows = [
        f"| {c.stage} | {c.jobs:,} | {c.slurm_jobs:,} | {hours(c.core_hours)} | {hours(c.gpu_hours)} |"
        for c in (*lines, total)
        if c.jobs
    ]
    return "\n".join([*head, *rows])


def hours(hours: float) -> str:
    if not hours:
        return ""
    return "< 0.1" if hours < 0.1 else f"{hours:,.1f}" if hours < 10 else f"{hours:,.0f}"


def fixed_rows(study: Study) -> int | None:
    """Number of annotation rows if the config determines it, as for the demo; else None."""
    if (world := study.demo_world) is None:
        return None
    return world.images + sum(count for fault, count in world.faults.items() if fault != "oversized")


ASSUMED_BACKBONE = BACKBONES["resnet50"]  # of a library's architectures, whose size is not known here
# JPEG of quality 90: bytes per squared longer side (60 Flickr photos scaled to 256 px: 0.23, to 512 px: 0.14).
JPEG_BYTES = 0.2
ASSUMED_IMAGES, ASSUMED_MASKS, ASSUMED_TESTED = 20_000, 1_000, 5_000  # of a dataset that is not public


def dataset_contents(units: Units, dataset: str) -> tuple[int, int, int]:
    """Numbers of images, masks and test images in a downstream dataset; assumed if it is not public."""
    settings, world = units.item("datasets", dataset), units.study.demo_world
    if world is not None and KINDS[settings.kind].from_world:
        tested = world.masks if settings.masks else world.probe_test
        trained = world.probe_train if settings.task else 0
        return trained + tested, world.masks if settings.masks else 0, tested
    if (row := settings.public) is not None:
        return row.images, row.masks, row.sizes.get("test", 0)
    return ASSUMED_IMAGES, ASSUMED_MASKS if settings.has_masks else 0, ASSUMED_TESTED


Contents = Callable[[Units, str], tuple[int, int, int]]


def loads(
    units: Units, stage: Stage, names: Sequence[str], rows: float, images: float, contents: Contents = dataset_contents
) -> Iterator[tuple[Load, int]]:
    """The distinct loads of a stage's jobs, each with its number of jobs.

    Args:
        names: names of the artifacts; shards are assumed to be equally large.
        rows: annotation rows of all shards together, or of each job that is not per shard.
        images: those of them whose image is still available.
        contents: gives numbers of images in a dataset.
    """
    if stage.unit == ("shard",):
        if names:
            yield load_of(units, stage, units.shards[0], rows, images, len(names), contents), len(names)
        return
    for name in names:
        yield load_of(units, stage, name, rows, images, parts_of(units, stage.unit_of(name)), contents), 1


def parts_of(units: Units, unit: Mapping[str, str]) -> float:
    """By what the study's rows are divided to give those of a job that is not per shard.

    Args:
        unit: of the job. A block has as large a share of the rows as of the shards.
    """
    return len(units.shards) / len(shards_of(unit["block"])) if "block" in unit else 1


def counted_contents(units: Units, dataset: str) -> tuple[int, int, int]:
    """As :func:`dataset_contents`, but class folders of one's own are counted."""
    return folder_contents(units, dataset) or dataset_contents(units, dataset)


def folder_contents(units: Units, dataset: str) -> tuple[int, int, int] | None:
    """The same numbers of class folders alone, about as they will be split; None of other sets and of archives.

    Limits of time, memory and disk don't rest on them: files may be large, and more may come.
    """
    settings = units.item("datasets", dataset)
    if settings.kind != "folders" or not settings.source:
        return None
    try:
        splits = _class_sizes(Path(settings.source.at).absolute())
    except (PipelineError, OSError):  # a finding says so
        return None
    for split, share in (("test", settings.test_fraction), ("val", settings.val_fraction)):
        if split not in splits:
            cut = [round(share * size) for size in splits["train"]]
            left = [size - part for size, part in zip(splits["train"], cut, strict=True)]
            splits = {**splits, "train": left, split: cut}
    kept = {name: sum(min(size, settings.limit.get(name, size)) for size in sizes) for name, sizes in splits.items()}
    labelled = sum(kept.values()) if kept["train"] else ASSUMED_IMAGES
    return (labelled, 0, kept["test"]) if kept["test"] else None


@cache
def _class_sizes(root: Path) -> dict[str, list[int]]:
    """Number of images in each folder of a split; none in an archive. Counted once, as every job asks."""
    return {
        split: [sum(map(is_image_name, names)) for _, _, names in os.walk(path)]
        for split, path in FolderSet(root).parts.items()
    }


def load_of(
    units: Units,
    stage: Stage,
    name: str,
    rows: float,
    images: float,
    parts: float,
    contents: Contents = dataset_contents,
) -> Load:
    """The load of one job. Arguments as for :func:`loads`, and by what its rows and images are divided."""
    unit = stage.unit_of(name)
    if "dataset" in unit:
        labelled, masked, tested = contents(units, unit["dataset"])
    else:
        known, checkpoints = (contents(units, name) for name in units.reported), len(units.checkpoints)
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
    run = units.trainings[unit["run"]].settings
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
