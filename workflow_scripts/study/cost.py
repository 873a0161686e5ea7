"""What a study costs on a cluster: jobs, core hours and GPU hours per stage, as estimates.

The rates, and where each comes from, are in ``rates.py``.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from workflow_scripts.core.digest import ROOT
from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.study.config.study import Study
from workflow_scripts.study.rates import (
    GROUPS,
    KEPT,
    RATES,
    SECONDS_PER_SLURM_JOB,
    SECONDS_PER_START,
    TFLOPS,
)
from workflow_scripts.study.units import Units

PROFILE = ROOT / "profiles/slurm/profile.yaml"
EVALUATION = ("run", "step", "dataset")
COLUMNS = ("jobs", "slurm_jobs", "core_hours", "gpu_hours")
MAIN_HOST = "i.redd.it"  # has all but a few of the images
LOCAL = frozenset({"source"})
GPU_STAGES = frozenset({"recaption", "caption_quality", "embed_captions", "embed_images", "pair_table", "pretrain"})
EVALUATIONS = frozenset({"features", "linear_probe", "few_shot", "saliency"})
GPU_OF_A_CHECKPOINT = frozenset({"features", "linear_probe", "saliency"})
# Stages whose rules ask for `compute.workers` cores; the others take one.
MANY_CORES = (GPU_STAGES - {"pair_table"}) | GPU_OF_A_CHECKPOINT


@dataclass(frozen=True)
class Work:
    """One stage's share of a study: jobs, units of work of all jobs together, and work of another size per unit."""

    jobs: int
    units: float
    gflop: float | None = None
    gpus: int = 1


@dataclass(frozen=True)
class Cost:
    """What a stage costs."""

    stage: str
    jobs: int
    slurm_jobs: int
    core_hours: float
    gpu_hours: float


def work(study: Study, units: Units, rows: int) -> dict[str, Work]:
    """Work of every stage of a study over ``rows`` annotation rows."""
    images, shards = rows * KEPT, shards_of(study, rows)
    runs = [units.settings("pretrain", {"run": run}) for run in units.runs]
    vectors = {units.pair_vectors("", pairs) for pairs in units.pairs}
    encoders = {name for name in vectors if "embed_images" in name} | {f"/{name}" for name in units.quality_encoder}
    texts = len({name for name in vectors if "embed_captions" in name})
    labelled = sum(units.dataset_facts(name)[0] for name in units.datasets)
    masked = sum(units.dataset_facts(name)[1] for name in units.mask_datasets)
    checkpoints, evaluations, tables = len(units.checkpoints), len(units.evaluations), len(units.pairs)
    forward_of = {name: BACKBONES[run["backbone"]].forward_gflop for name, run in zip(units.runs, runs, strict=True)}
    forward = sum(forward_of[name.split(".")[0]] for name in units.checkpoints) / max(1, checkpoints)
    few_shot = study.evaluation.few_shot
    return {
        "source": Work(len(units.sources_by_name), len(units.sources_by_name)),
        "annotations": Work(1, rows),
        "shard_plan": Work(1, rows),
        "download": Work(shards, rows),
        "image_index": Work(1, images),
        "data_card": Work(1, rows),
        "recaption": Work(shards, images),
        "caption_table": Work(1, images),
        "select_captions": Work(len(units.arms), images * len(units.arms)),
        "caption_quality": Work(len(units.arms), images * len(units.arms)),
        "embed_captions": Work(texts, images * texts),
        "embed_images": Work(len(encoders), images * len(encoders)),
        "pair_table": Work(tables, images**2 * tables),
        "pair_quality": Work(tables, images * tables),
        "pretrain": training(runs),
        "eval_dataset": Work(len(units.datasets), labelled),
        "features": Work(evaluations, labelled * checkpoints, forward),
        "linear_probe": Work(evaluations, labelled * checkpoints),
        "few_shot": Work(evaluations, few_shot.episodes * evaluations),
        "saliency": Work(len(units.mask_evaluations), masked * checkpoints),
        "summary": Work(1, labelled * checkpoints),
        "report": Work(1, 1),
    }


def shards_of(study: Study, rows: int) -> int:
    """Shards for so many rows: those of the config where they can hold them, else as many as all of RedCaps needs.

    Each subreddit and year has shards of its own, the last of them half full on average.
    """
    shards = study.shards
    full = math.ceil(rows / shards.rows_per_shard)
    return shards.shards if full <= shards.shards else full + (0 if shards.group == "all" else GROUPS // 2)


def training(runs: Sequence[Mapping[str, Any]]) -> Work:
    """Work of all training runs; forward and backward pass are counted as three forward passes."""
    views, gflop = 0, 0.0
    for run in runs:
        pairs, method = run["batch_size"] * run["steps"], METHODS[run["method"]]
        views += pairs * method.views
        gflop += 3 * pairs * method.passes * BACKBONES[run["backbone"]].forward_gflop
    gpus = max((run["processes"] for run in runs), default=1)
    return Work(len(runs), views, gflop / max(1, views), gpus)


def costs(study: Study, units: Units, rows: int, tflops: float = TFLOPS) -> list[Cost]:
    """Cost of every stage, in the order in which they run.

    A job holds its cores and GPUs as long as the slower of the two takes; a download as long as its slowest host lets
    it wait at the rate that the config allows.
    """
    made, shares = [], work(study, units, rows)
    evaluated = [dict(zip(EVALUATION, name.split("."), strict=True)) for name in units.evaluations]
    wildcards = dict.fromkeys(EVALUATIONS, evaluated)
    submitted = slurm_jobs({stage: share.jobs for stage, share in shares.items()}, PROFILE, wildcards)
    for stage, share in shares.items():
        rate, gpu = RATES[stage], stage in GPU_STAGES | GPU_OF_A_CHECKPOINT and study.compute.device != "cpu"
        cores = study.compute.workers if stage in MANY_CORES else 1
        per_gpu = rate.core_ms / 1e3 * share.units / cores
        counted = (rate.gflop if share.gflop is None else share.gflop) * share.units / (tflops * 1e3)
        seconds = max(per_gpu, counted) + SECONDS_PER_START * share.jobs + SECONDS_PER_SLURM_JOB * submitted[stage]
        if stage == "download":
            hosts = study.download.hosts
            seconds = max(seconds, share.units / hosts.get(MAIN_HOST, hosts["default"]).rate)
        hours = seconds / 3600
        made.append(Cost(stage, share.jobs, submitted[stage], hours * cores, hours if gpu else 0.0))
    return made


def slurm_jobs(
    jobs: Mapping[str, int], profile: Path, wildcards: Mapping[str, Sequence[Mapping[str, str]]] = MappingProxyType({})
) -> dict[str, int]:
    """How many jobs SLURM gets for ``jobs`` of each stage, by the groups of a Snakemake profile.

    Args:
        wildcards: of each job of a stage whose group has wildcards in its name, and so is many groups.
    """
    settings = yaml.safe_load(profile.read_text())
    group_of, size = (dict(pair.split("=") for pair in settings.get(key, ())) for key in ("groups", "group-components"))
    made, seen = {}, set()
    for stage in jobs:
        group = group_of.get(stage, stage)
        if group in seen or stage in LOCAL:
            made[stage] = 0
        elif "{" in group:
            together = Counter(group.format(**unit) for unit in wildcards[stage])
            made[stage] = sum(math.ceil(count / int(size.get(group, 1))) for count in together.values())
        else:
            most = max(n for other, n in jobs.items() if group_of.get(other, other) == group)
            made[stage] = math.ceil(most / int(size.get(group, 1)))
        seen.add(group)
    return made


def table(title: str, lines: Sequence[Cost]) -> str:
    """Markdown table of costs with a sum."""
    total = Cost("all", *(sum(getattr(line, name) for line in lines) for name in COLUMNS))
    head = [f"**{title}**", "", "| stage | jobs | SLURM jobs | core hours | GPU hours |", "|---|--:|--:|--:|--:|"]
    rows = [
        f"| {c.stage} | {c.jobs:,} | {c.slurm_jobs:,} | {_hours(c.core_hours)} | {_hours(c.gpu_hours)} |"
        for c in (*lines, total)
    ]
    return "\n".join([*head, *rows])


def _hours(hours: float) -> str:
    if not hours:
        return ""
    return "< 0.1" if hours < 0.1 else f"{hours:,.1f}" if hours < 10 else f"{hours:,.0f}"


def fixed_rows(study: Study) -> int | None:
    """Annotation rows of a study whose size its config fixes, which is the demo's; None for all others."""
    world = study.demo_world
    if world is None:
        return None
    faults = (world.dead_links, world.placeholders, world.html_answers, world.repeated_ids, world.empty_captions)
    return world.images + sum(faults)
