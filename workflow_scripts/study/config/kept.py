"""Which of the checkpoints kept by runs are evaluated."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from workflow_scripts.pretraining.settings import Pretrain, step_name
from workflow_scripts.study.config.errors import SettingError


def evaluated(wanted: Sequence[int | str], runs: Mapping[str, Pretrain]) -> dict[str, list[str]]:
    """Run -> names of its evaluated checkpoints: those in ``wanted`` that it keeps, in that order.

    A run that has no checkpoint at a step, because it is shorter or keeps others, skips it. Numbers are epochs in runs
    with epochs. An untrained run has only its last checkpoint.
    """
    steps = list(dict.fromkeys(wanted))
    return {
        name: [run.checkpoint_name(step) for step in steps if step in run.kept] if run.trains else ["last"]
        for name, run in runs.items()
    }


def first_name(wanted: Sequence[int | str], runs: Iterable[Pretrain]) -> str:
    """Name of the first wanted checkpoint, for the first run that keeps it: a step or an epoch."""
    keepers = (run.checkpoint_name(wanted[0]) for run in runs if run.trains and wanted[0] in run.kept)
    return next(keepers, step_name(wanted[0]))


def kept_errors(
    wanted: Sequence[int | str], shared: Mapping[str, object], runs: Mapping[str, Pretrain]
) -> Iterator[SettingError]:
    """Yield errors for wanted steps that no run keeps or that a run may not reach, and for listed steps after all ends.

    Args:
        wanted: ``evaluation.steps``.
        shared: the section ``pretraining``.
    """
    trained = {name: run for name, run in runs.items() if run.trains}
    for number, step in enumerate(wanted if trained else ()):
        yield from _step_errors(("evaluation", "steps", number), step, trained)
    unit, listed = unit_of(shared), shared.get("checkpoints")
    longest = max((run.length for run in trained.values() if bool(run.epochs) == (unit == "epochs")), default=0)
    for number, step in enumerate(listed if isinstance(listed, list) and longest else ()):
        if isinstance(step, int) and step > longest:
            path = ("pretraining", "checkpoints", number)
            advice = f"the longest run has {longest} {unit}; correct or remove it"
            yield SettingError("checkpoint after the end of training", path, step, advice)


def unit_of(settings: Mapping[str, object]) -> str:
    """``epochs`` or ``steps``: in which a section of training settings counts lengths and checkpoints."""
    return "steps" if settings.get("epochs") is None else "epochs"


def _step_errors(
    path: tuple[str, str, int], step: int | str, trained: Mapping[str, Pretrain]
) -> Iterator[SettingError]:
    keepers = {name: run for name, run in trained.items() if step in run.kept}
    if not keepers:
        kept = {one for run in trained.values() for one in run.kept}
        numbers = sorted(one for one in kept if isinstance(one, int))
        shown = ", ".join(map(str, [*numbers, *(name for name in ("best", "last") if name in kept)]))
        advice = f"choose from {shown}, or add it to pretraining.checkpoints, which retrains every run"
        if step == "best":
            advice = f"choose from {shown}, or give the runs a probe (pretraining.probe) that keeps the best checkpoint"
        yield SettingError("no run keeps this checkpoint", path, step, advice)
    for name, run in keepers.items():
        if isinstance(step, int) and step > run.sure_length:
            reached = f"steps up to {run.sure_length}, " if run.sure_length else ""
            advice = f"use {reached}last or best, or set patience to null"
            yield SettingError("checkpoint may not be reached", path, step, f"{name} may stop earlier: {advice}")
            return
