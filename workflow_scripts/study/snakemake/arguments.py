"""Arguments of the commands of jobs: inputs as patterns, and what else a process may make.

A command line can't hold thousands of paths.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.study.units import PlannedJob


def input_words(inputs: Mapping[str, Sequence[str]]) -> list[str]:
    """``--input`` and its values for each input that has paths: patterns, which the stage writes out."""
    words = []
    for name, paths in inputs.items():
        folders = [(folder, [Path(path).name for path in of]) for folder, of in groupby(paths, os.path.dirname)]
        found = [
            f"{folder}/{pattern([one.removesuffix(MANIFEST) for one in names])}{MANIFEST}" for folder, names in folders
        ]
        words += ["--input", f"{name}={found[0]}", *found[1:]] if found else []
    return words


def pattern(names: Sequence[str]) -> str:
    """Names as one pattern: ``{a,b}.{00000..00004}``."""
    heads, tails = ([*dict.fromkeys(part)] for part in zip(*(name.rpartition(".")[::2] for name in names), strict=True))
    if len(names) > 1 and heads != [""] and [f"{head}.{tail}" for head in heads for tail in tails] == [*names]:
        return f"{pattern(heads)}.{pattern(tails)}"
    if len(names) == 1:
        return names[0]
    return f"{{{ranges(names) if all(map(str.isdecimal, names)) else ','.join(names)}}}"


def other_arms(out: str, arms: Iterable[str], unit: str) -> list[str]:
    """Arguments of the job ``<arm>.<judge>.<block>``: the arms that its process also scores if they lack scores."""
    own, _, rest = unit.partition(".")
    words = []
    for arm in arms:
        if arm != own:
            words += ["--also", f"{out}/score_captions/{arm}.{rest}", f"arm={arm}"]
            words += [f"captions={out}/select_captions/{arm}{MANIFEST}"]
    return words


class Turns:
    """The jobs of a command by stage, of which a process may make several in turn.

    In a cluster's job, they are those for which it was submitted, so the time that was requested for them suffices.
    Elsewhere they are all that will run, once :meth:`plan` was called: processes on one machine share them.
    """

    def __init__(self, workflow: Any) -> None:
        self._workflow = workflow
        self._planned: list[tuple[str, Mapping[str, str]]] | None = None
        self._arguments: dict[tuple[str, str], str] = {}  # of the planned jobs, which all have the same one

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
