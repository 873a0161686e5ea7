"""Which artifacts of a stage a process may make in turn: those of jobs that could run where it does."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from workflow_scripts.study.snakemake.internals import require
from workflow_scripts.study.snakemake.planning import PlannedJob


class Turns:
    """The jobs of a command by stage.

    In a cluster's job, they are those for which it was submitted, so the time that was requested for them suffices.
    Elsewhere they are all that will run, once :meth:`plan` was called: processes on one machine share them.
    """

    def __init__(self, workflow: Any) -> None:
        require("workflow", workflow)
        self._workflow = workflow
        self._planned: list[tuple[str, Mapping[str, str]]] | None = None
        self._arguments: dict[tuple[str, str], str] = {}  # of the planned jobs, which all ask for the same one

    def plan(self, jobs: Iterable[PlannedJob], dry_run: bool) -> None:
        """Take over the jobs that will run."""
        self._planned = [(job.stage, job.unit) for job in jobs]
        self._arguments.clear()

    def argument(self, stage: str, name: str) -> str:
        """``<name>=<values>``, for ``--in-turn``: the values of this wildcard in the stage's jobs."""
        if self._planned is None:
            targets = self._workflow.dag_settings.target_jobs
            return _argument(stage, name, ((target.rulename, target.wildcards_dict) for target in targets))
        if (stage, name) not in self._arguments:
            self._arguments[stage, name] = _argument(stage, name, self._planned)
        return self._arguments[stage, name]


def _argument(stage: str, name: str, units: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    return f"{name}={ranges(sorted(unit[name] for rule, unit in units if rule == stage))}"


def ranges(values: Sequence[str]) -> str:
    """Sorted numbers of equal length as ``00000..00002,00005``: short, for command lines and logs."""
    runs = [[value for _, value in run] for _, run in groupby(enumerate(values), lambda one: int(one[1]) - one[0])]
    return ",".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
