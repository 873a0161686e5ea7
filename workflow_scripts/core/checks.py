"""References within a study: every name that is used must be there, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflow_scripts.core.errors import PipelineError

if TYPE_CHECKING:
    from workflow_scripts.core.config import Study

WORLD = "world"
RESERVED_PAIRS = ("self", "none")


def check_references(study: Study) -> None:
    """Raise PipelineError at the first name that is repeated, unknown or reserved."""
    arms = _unique("arms", (arm.name for arm in study.arms))
    text = _unique("text_encoders", (encoder.name for encoder in study.text_encoders))
    image = _unique("image_encoders", (encoder.name for encoder in study.image_encoders))
    _unique("encoders", [*text, *image])
    pairs = _unique("pairs", (pairs.name for pairs in study.pairs))
    datasets = _unique("datasets", (dataset.name for dataset in study.datasets))
    for name in RESERVED_PAIRS:
        if name in pairs:
            raise PipelineError("reserved name", "config.pairs", name, "give the pair table another name")
    for table in study.pairs:
        if table.arm is not None:
            _known(f"config.pairs.{table.name}.arm", table.arm, arms)
        _known(f"config.pairs.{table.name}.encoder", table.encoder, text if table.arm else image)
    for run in study.runs:
        allowed = arms if run.method == "clip" else [*pairs, *RESERVED_PAIRS]
        _known(f"config.runs (method {run.method}).pairs", run.pairs, allowed)
    if study.pair_quality.image_encoder is not None:
        _known("config.pair_quality.image_encoder", study.pair_quality.image_encoder, image)
    if study.probe_dataset is not None:
        _known("config.probe_dataset", study.probe_dataset, datasets)
    _check_sources(study)


def _check_sources(study: Study) -> None:
    for arm in study.arms:
        if (arm.kind == "external") != (arm.table is not None):
            raise PipelineError("wrong table", f"config.arms.{arm.name}", arm.table, "kind external needs one, alone")
    for encoder in study.image_encoders:
        if encoder.kind == "transformers" and encoder.source is None:
            raise PipelineError("missing source", f"config.image_encoders.{encoder.name}", "none", "state source")
    for dataset in study.datasets:
        if (dataset.kind == WORLD) == (dataset.source is not None):
            value = dataset.source and dataset.source.at
            advice = "all kinds but world need one; world has none"
            raise PipelineError("wrong source", f"config.datasets.{dataset.name}", value, advice)
    of_world = study.annotations.source.at == WORLD or any(dataset.kind == WORLD for dataset in study.datasets)
    if of_world and study.demo_world is None:
        raise PipelineError("source world", "config", "demo_world is null", "state the section demo_world")


def _unique(where: str, names: Iterable[str]) -> list[str]:
    seen: list[str] = []
    for name in names:
        if name in seen:
            raise PipelineError(
                "repeated name", f"config.{where}", name, "names are part of file names; make it unique"
            )
        seen.append(name)
    return seen


def _known(where: str, name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise PipelineError("unknown name", where, name, f"one of {', '.join(sorted(names)) or 'none'} is there")
