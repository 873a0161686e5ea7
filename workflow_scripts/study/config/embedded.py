"""Arms and text encoders whose embeddings the runs of a study learn from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.study.config.errors import SettingError, known

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Run
    from workflow_scripts.study.config.study import Study

COMPARED = ("original", "generated")
"""Kinds of the arms whose captions are compared for ``pair_weight: agreement``."""


def arm_of(study: "Study", run: "Run") -> str | None:
    """The arm whose captions a run's pairs are made from: its own or its pair table's; None if from none."""
    if METHODS[run.method].by_arm:
        return run.pairs
    return next((table.arm for table in study.pairs if table.name == run.pairs), None)


def encoder_of(study: "Study", run: "Run", settings: Pretrain) -> str:
    """The text encoder of the vectors that a run learns from: its pair table's, its own, or the study's only one."""
    of_table = next((table.encoder for table in study.pairs if table.name == run.pairs), None)
    if settings.pairs == "caption" or of_table is None:
        return run.encoder or study.text_encoders[0].name
    return of_table


def compared(study: "Study") -> list[str]:
    """The arms whose captions are compared for ``pair_weight: agreement``: the first of each of the kinds."""
    found = [next((arm.name for arm in study.arms if arm.kind == kind), None) for kind in COMPARED]
    return [name for name in found if name is not None]


def embedding_errors(study: "Study", run: "Run", number: int, settings: Pretrain) -> Iterator[SettingError]:
    """Yield errors of a run's text encoder (unclear, unknown or unused), and of what its weights are made from."""
    where, names = ("runs", number, "encoder"), [encoder.name for encoder in study.text_encoders]
    agreement = settings.pair_weight == "agreement"
    if "vectors" not in settings.inputs and not (agreement and settings.pairs == "caption"):
        if run.encoder is not None:
            advice = "remove it; this run reads no vectors, or those of its pair table's encoder"
            yield SettingError("unused encoder", where, run.encoder, advice)
    elif run.encoder is not None:
        yield from known(where, "text encoder", run.encoder, names)
    elif len(names) != 1:
        yield SettingError(
            "missing encoder", where, "null", f"name one of text_encoders: {', '.join(names) or 'none yet'}"
        )
    yield from _weight_errors(study, run, number, settings)


def _weight_errors(study: "Study", run: "Run", number: int, settings: Pretrain) -> Iterator[SettingError]:
    """An error of a run whose weights need arms that the study lacks, or scores that its arm lacks."""
    if settings.pair_weight == "agreement" and len(compared(study)) < len(COMPARED):
        advice = f"add one arm of each kind {' and '.join(COMPARED)}"
        value = f"pair_weight {settings.pair_weight} of {run.method}"
        yield SettingError("no captions to compare", ("runs", number), value, advice)
    kinds = {arm.name: arm.kind for arm in study.arms}
    kind = kinds.get(arm_of(study, run) or "") if settings.pair_weight == "itm" else None
    if kind is not None and not ARM_KINDS[kind].scored:
        fitting = ", ".join(name for name, one in ARM_KINDS.items() if one.scored)
        advice = f"set pair_weight to none for this run; arms of these kinds have scores: {fitting}"
        value = f"pair_weight itm of {run.method}, whose arm is of kind {kind}"
        yield SettingError("captions without scores", ("runs", number), value, advice)
