"""How much disk a study will still need, by order of magnitude, before anything is computed.

An upper estimate from the config alone: every planned row is counted as a good image, and only artifacts that will
be made count. The cache adds nothing, since results are hard links to it; the store of fetched bytes does.
"""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.models.backbones import BACKBONES, Backbone
from workflow_scripts.study.sizes import human
from workflow_scripts.study.units import Units

# JPEG of quality 90: bytes per squared longer side (60 Flickr photos scaled to 256 px: 0.23, to 512 px: 0.14).
JPEG_BYTES = 0.2
AS_FETCHED = 10  # times as many bytes has an image as it comes
TAR_MEMBER = 3_000  # headers, padding and the JSON beside an image
ROW = 400  # captions, scores, ids and states of one image in all tables
VECTOR = 768 * 4  # the widest of the encoders named in the configs
SET_IMAGE = 40_000  # bytes of an image of a downstream set
SMALL = 2_000_000  # tables, pictures and pages of any other artifact


def remaining(units: Units, out: Path, running: Collection[tuple[str, str]]) -> dict[str, int]:
    """Stage -> bytes that its artifacts will take; stages that need none are left out.

    ``fetched bytes`` stands for the store that all studies below one results folder share.

    Args:
        out: folder of the study.
        running: stage and name of the artifacts that will be made.
    """
    study = units.study
    rows = study.shards.shards * study.shards.rows_per_shard
    image = int(JPEG_BYTES * study.download.max_side**2) + TAR_MEMBER
    datasets = {name: units.dataset_facts(name)[0] for name in units.datasets}
    vectors = [Path(path) for path in units.used_vectors("")]
    captions, images = (
        [path.name.removesuffix(MANIFEST) for path in vectors if path.parent.name == stage]
        for stage in ("embed_captions", "embed_images")
    )
    neighbours = {one.name: one.k for one in study.pairs}
    wanted: dict[str, tuple[list[str], Callable[[str], float]]] = {
        "download": (units.shards, lambda _: study.shards.rows_per_shard * image),
        "recaption": (units.shards, lambda _: study.shards.rows_per_shard * ROW),
        "select_captions": (units.arms, lambda _: rows * ROW / 2),
        "embed_captions": (captions, lambda _: rows * VECTOR),
        "embed_images": (images, lambda _: rows * VECTOR),
        "pair_table": (units.pairs, lambda name: rows * ROW / 4 * neighbours[name]),
        "eval_dataset": (units.datasets, lambda name: datasets[name] * SET_IMAGE),
        "pretrain": (units.runs, lambda run: _run_bytes(units, run)),
        "features": (
            units.evaluations,
            lambda name: datasets[name.rpartition(".")[2]] * 4 * _backbone(units, name.partition(".")[0]).features,
        ),
        **dict.fromkeys(("linear_probe", "few_shot"), (units.evaluations, lambda _: SMALL)),
        "saliency": (units.mask_evaluations, lambda _: SMALL),
    }
    need = {}
    for stage, (names, size) in wanted.items():
        need[stage] = int(sum(size(name) for name in names if (stage, name) in running))
    need["fetched bytes"] = _fetched(units, out, running)
    return {stage: size for stage, size in need.items() if size}


def _fetched(units: Units, out: Path, running: Collection[tuple[str, str]]) -> int:
    """What images will take in the store, besides what lies there: studies share it, and it serves later plans."""
    study = units.study
    image = JPEG_BYTES * study.download.max_side**2 * (AS_FETCHED if study.download.keep == "fetched" else 1)
    shard = study.shards.rows_per_shard * image
    missing = [one for one in units.shards if ("download", one) in running]
    if not missing:
        return 0
    there = sum(path.stat().st_size for path in (out.parent / FETCHED).glob("**/*.bin"))
    return int(max(0, min(len(missing) * shard, len(units.shards) * shard - there)))


def shortage(units: Units, out: Path, running: Collection[tuple[str, str]]) -> PipelineError | None:
    """An error when the artifacts that will be made need more than is free where ``out`` lies, else None."""
    need = remaining(units, out, running)
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    total = sum(need.values())
    if total <= free:
        return None
    largest = sorted(need.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{stage} {human(size)}" for stage, size in largest)
    value = f"about {human(total)} are needed ({parts}), {human(free)} are free"
    advice = "free space (faithful-pairs cache-gc), or let results be a link to a larger disk"
    return PipelineError("too little disk space", there, value, advice)


def _backbone(units: Units, run: str) -> Backbone:
    return BACKBONES[units.settings("pretrain", {"run": run})["backbone"]]


def _run_bytes(units: Units, run: str) -> float:
    """Kept weights, and the last two checkpoints with optimizer state (three times the weights) while it trains."""
    return _backbone(units, run).weights_bytes * (units.run_kept(run) + 2 * 3)
