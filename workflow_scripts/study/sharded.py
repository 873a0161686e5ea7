"""Which pair shards the runs of a study read."""

from collections.abc import Iterable

from workflow_scripts.core.declaration.parts import part_names
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.sections import Run
from workflow_scripts.study.config.study import Study

OWN = "self"
"""Name of the pair shards of runs without a pair table: each image by itself."""


def pairs_sharded(study: Study, run: Run, settings: Pretrain) -> str | None:
    """Name of the pair shards that a run reads; None if it reads none."""
    if study.pair_shards is None or not settings.trains:
        return None
    return run.pairs if "pairs" in settings.inputs else OWN


def sharded_pairs(study: Study, runs: Iterable[tuple[Run, Pretrain]]) -> dict[str, str]:
    """Name of each pair table whose pairs are written to shards -> the setting ``unpaired`` of these."""
    found: dict[str, str] = {}
    for run, settings in runs:
        name = pairs_sharded(study, run, settings)
        if name and found.get(name) != "self":
            found[name] = settings.unpaired
    return found


def shard_names(study: Study, pairs: Iterable[str]) -> list[str]:
    """Names of all shards of some pair tables."""
    files = study.pair_shards.files if study.pair_shards else 0
    return [f"{name}.{part}" for name in pairs for part in part_names(files)]
