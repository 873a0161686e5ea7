"""Estimates, by order of magnitude, how much more disk space a study needs.

An upper bound from the config alone: every planned row counts as a good image, and only artifacts that will be
computed count. The cache adds nothing, since results are hard links to it; the store of fetched bytes does.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from humanize import naturalsize

from workflow_scripts.core.declaration.facts import none
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.study.config.stages import declaration, facts
from workflow_scripts.study.estimates.cost import loads
from workflow_scripts.study.units import Units


def remaining(units: Units, out: Path, running: Collection[tuple[str, str]]) -> dict[str, int]:
    """Stage -> bytes that its artifacts will take; stages that take none are left out.

    ``fetched bytes`` is the store that all studies of a results folder share.

    Args:
        out: folder of the study.
        running: stage and name of the artifacts that will be made.
    """
    names: dict[str, list[str]] = {}
    for stage, name in sorted(running):
        names.setdefault(stage, []).append(name)
    rows = units.study.shards.shards * units.study.shards.rows_per_shard
    need, store = {}, 0.0
    for stage, made in names.items():
        declared, known = declaration(stage), facts(stage)
        if declared is None or (known.disk, known.store) == (none, none):
            continue
        rows_here = len(made) * units.study.shards.rows_per_shard if declared.unit == ("shard",) else rows
        found = list(loads(units, declared, made, rows_here, rows_here))
        need[stage] = int(sum(known.disk(load) * count for load, count in found))
        store += sum(known.store(load) * count for load, count in found)
    need["fetched bytes"] = _fetched(units, out, len(names.get("download", ())), store)
    return {stage: size for stage, size in need.items() if size}


def _fetched(units: Units, out: Path, shards: int, store: float) -> int:
    """Bytes that the images of ``shards`` shards will add to the store.

    Studies share the store, and it serves later plans.

    Args:
        store: bytes of these shards in an empty store.
    """
    if not shards:
        return 0
    there = sum(path.stat().st_size for path in (out.parent / FETCHED).glob("**/*.bin"))
    return int(max(0, min(store, store / shards * len(units.shards) - there)))


def nearest_existing(path: Path) -> Path:
    """``path`` if it exists and can be seen, else the nearest folder above it of which that is true."""
    return next(one for one in (path, *path.absolute().parents) if os.path.exists(one))


def shortage(units: Units, out: Path, running: Collection[tuple[str, str]]) -> PipelineError | None:
    """An error if the artifacts to compute need more space than is free on the disk of ``out``, else None."""
    need = remaining(units, out, running)
    there = nearest_existing(out)
    free = shutil.disk_usage(there).free
    total = sum(need.values())
    if total <= free:
        return None
    largest = sorted(need.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{stage} {naturalsize(size)}" for stage, size in largest)
    value = f"about {naturalsize(total)} needed ({parts}), {naturalsize(free)} free"
    advice = "free space (faithful-pairs cache-gc), or make results a link to a larger disk"
    return PipelineError("too little disk space", there, value, advice)
