"""Which of the checkpoints kept by runs are evaluated."""

from collections.abc import Iterator, Mapping, Sequence

from workflow_scripts.pretraining.settings import Pretrain, step_name
from workflow_scripts.study.config.errors import SettingError


def evaluated(wanted: Sequence[int | str], runs: Mapping[str, Pretrain]) -> dict[str, list[str]]:
    """Run -> names of its evaluated checkpoints: those in ``wanted`` that it keeps, in that order.

    A run that has no checkpoint at a step, because it is shorter or keeps others, skips it. An untrained run has only
    its last checkpoint.
    """
    steps = list(dict.fromkeys(wanted))
    return {
        name: [step_name(step) for step in steps if step in run.kept] if run.trains else ["last"]
        for name, run in runs.items()
    }


def kept_errors(wanted: Sequence[int | str], listed: object, runs: Mapping[str, Pretrain]) -> Iterator[SettingError]:
    """Yield errors for wanted steps that no run keeps or that a run may not reach, and for listed steps after all ends.

    Args:
        wanted: ``evaluation.steps``.
        listed: ``pretraining.checkpoints``, shared by all runs.
    """
    trained = {name: run for name, run in runs.items() if run.trains}
    for number, step in enumerate(wanted if trained else ()):
        yield from _step_errors(("evaluation", "steps", number), step, trained)
    longest = max((run.steps for run in trained.values()), default=0)
    for number, step in enumerate(listed if isinstance(listed, list) and longest else ()):
        if step > longest:
            path, advice = (
                ("pretraining", "checkpoints", number),
                f"the longest run has {longest} steps; correct or remove it",
            )
            yield SettingError("checkpoint after the end of training", path, step, advice)


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
        if isinstance(step, int) and step > run.sure_steps:
            advice = f"use steps up to {run.sure_steps}, last or best, or set patience to null"
            yield SettingError("checkpoint may not be reached", path, step, f"{name} may stop earlier: {advice}")
            return
