"""Checks of encoders: what each needs, and that no run's pairs come from the run itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.study.config.errors import SettingError, known
from workflow_scripts.study.vectors import encoders_read

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import Pretrain
    from workflow_scripts.study.config.sections import Run
    from workflow_scripts.study.config.study import Study

Runs = Mapping[str, "tuple[Run, Pretrain]"]
KINDS: Mapping[str, Mapping[str, Any]] = {"text_encoders": TEXT_ENCODERS, "image_encoders": IMAGE_ENCODERS}


def encoder_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each encoder that lacks a source or a run, or has one without use."""
    for section, number, encoder in _encoders(study):
        needs = KINDS[section][encoder.kind].needs
        for key, wanted in (("source", needs == "source"), ("run", needs == "run")):
            given, where = getattr(encoder, key), (section, number, key)
            if wanted and given is None:
                yield SettingError(
                    f"missing {key}", where, f"none for {encoder.name}", f"kind {encoder.kind} needs one"
                )
            elif given is not None and not wanted and (key, needs) != ("source", "matcher"):
                value = getattr(given, "at", given)
                yield SettingError(f"unused {key}", where, value, f"remove it; kind {encoder.kind} has none")
        if needs != "run" and getattr(encoder, "checkpoint", "last") != "last":
            advice = f"remove it; kind {encoder.kind} has none"
            yield SettingError("unused checkpoint", (section, number, "checkpoint"), encoder.checkpoint, advice)
        for key in ("weights", "view"):
            if (given := getattr(encoder, key, None)) is not None:
                yield SettingError("unused setting", (section, number, key), given, "remove it; the workflow sets it")
    kinds = {encoder.name: encoder.kind for encoder in study.text_encoders}
    for number, judge in enumerate(study.judges):
        kind = kinds.get(judge.encoder or "")
        if kind is not None and not TEXT_ENCODERS[kind].judges:
            usable = [name for name, kind in kinds.items() if TEXT_ENCODERS[kind].judges]
            advice = f"name a text encoder of kind sentence_transformers: {', '.join(usable) or 'none yet'}"
            value = f"{judge.encoder}, of kind {kind}"
            yield SettingError("text encoder unfit for a judge", ("judges", number, "encoder"), value, advice)


def encoder_run_errors(study: Study, runs: Runs) -> Iterator[SettingError]:
    """Yield an error for each encoder whose run does not exist, lacks what it needs, or needs the encoder itself.

    Args:
        runs: item and settings of each run, by name.
    """
    for section, number, encoder in _encoders(study):
        if encoder.run is None:
            continue
        where = (section, number, "run")
        if encoder.run not in runs:
            yield from known(where, "run", encoder.run, runs)
        elif encoder.run in _needed(study, runs, encoder.run):
            advice = "name a run whose pairs do not depend on this encoder"
            advice += "; with common_images, every run depends on all pair tables" if study.common_images else ""
            yield SettingError("run whose pairs come from itself", where, encoder.run, advice)
        elif section == "text_encoders":
            method = METHODS[runs[encoder.run][0].method]
            if "tokens" not in method.learns:
                fitting = ", ".join(name for name, one in METHODS.items() if "tokens" in one.learns)
                advice = f"name a run of one of these methods: {fitting}"
                yield SettingError("run without text tower", where, f"{encoder.run}, of method {method.name}", advice)
        else:
            yield from _checkpoint(section, number, encoder, runs[encoder.run][1])


def _checkpoint(section: str, number: int, encoder: Any, settings: Pretrain) -> Iterator[SettingError]:
    """An error for a checkpoint that a run does not keep or may not reach."""
    where, step = (section, number, "checkpoint"), encoder.checkpoint
    kept = settings.kept if settings.trains else ["last"]
    if step not in kept:
        shown = ", ".join(map(str, kept))
        yield SettingError("checkpoint not kept", where, f"{step} of {encoder.run}", f"choose from {shown}")
    elif isinstance(step, int) and step > settings.sure_length:
        advice = "use last or best, or set patience to null"
        yield SettingError("checkpoint may not be reached", where, f"{step} of {encoder.run}", advice)


def _encoders(study: Study) -> Iterator[tuple[str, int, Any]]:
    both: dict[str, Sequence[Any]] = {"text_encoders": study.text_encoders, "image_encoders": study.image_encoders}
    for section, encoders in both.items():
        for number, encoder in enumerate(encoders):
            yield section, number, encoder


def _needed(study: Study, runs: Runs, run: str) -> set[str]:
    """The runs that must be finished before ``run``: those whose networks embed what its pairs are made from."""
    network = {encoder.name: str(encoder.run) for _, _, encoder in _encoders(study) if encoder.run in runs}
    found: set[str] = set()
    waiting = [run]
    while waiting:
        read = encoders_read(study, runs, waiting.pop())
        new = {network[encoder] for encoder in read if encoder in network} - found
        found |= new
        waiting += new
    return found
