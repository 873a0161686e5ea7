"""Which of the checkpoints that runs keep are evaluated."""

from collections.abc import Mapping, Sequence

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings.pretrain import Pretrain, step_name

WHERE = "config.evaluation.steps"


def evaluated(wanted: Sequence[int | str], runs: Mapping[str, Pretrain]) -> dict[str, list[str]]:
    """Run -> names of its evaluated checkpoints: those of ``wanted`` that it keeps, in that order.

    A run that keeps none of a step, because it is shorter or states other checkpoints, skips it. An untrained run has
    its last checkpoint alone.

    Raises:
        PipelineError: no run keeps a step, or a run that keeps it may be stopped before it.
    """
    trained = {name: run for name, run in runs.items() if run.method != "untrained"}
    steps = list(dict.fromkeys(wanted))
    for step in steps:
        _check(step, trained)
    return {
        name: [step_name(step) for step in steps if step in run.kept] if name in trained else ["last"]
        for name, run in runs.items()
    }


def check_listed(listed: object, runs: Sequence[Pretrain]) -> None:
    """Refuse a checkpoint in the list for all runs that is beyond the end of each of them.

    Raises:
        PipelineError: there is one.
    """
    longest = max((run.steps for run in runs if run.method != "untrained"), default=0)
    beyond = [step for step in listed if step > longest] if isinstance(listed, list) and longest else []
    if beyond:
        advice = f"the longest run has {longest} steps; correct or remove it"
        raise PipelineError("checkpoint beyond the end", "config.pretraining.checkpoints", beyond[0], advice)


def _check(step: int | str, trained: Mapping[str, Pretrain]) -> None:
    keepers = {name: run for name, run in trained.items() if step in run.kept}
    if trained and not keepers:
        kept = {one for run in trained.values() for one in run.kept}
        numbers = sorted(one for one in kept if isinstance(one, int))
        shown = ", ".join(map(str, [*numbers, *(name for name in ("best", "last") if name in kept)]))
        advice = f"take one of {shown}, or add it to pretraining.checkpoints, which trains every run again"
        if step == "best":
            advice = f"take one of {shown}, or give the runs a probe (pretraining.probe) that keeps its best"
        raise PipelineError("no run keeps this checkpoint", WHERE, step, advice)
    for name, run in keepers.items():
        if isinstance(step, int) and step > run.sure_steps:
            advice = f"take steps up to {run.sure_steps}, last or best, or set patience to null"
            raise PipelineError("checkpoint may not be reached", WHERE, step, f"{name} may stop earlier: {advice}")
