"""Checks of a study's arms: each has what its kind needs, and the arms that it reads do not read it."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.study.config.arms.order import arms_before, arms_read
from workflow_scripts.study.config.errors import SettingError, known, unused_settings

if TYPE_CHECKING:
    from workflow_scripts.study.config.study import Study


def arm_errors(study: "Study") -> Iterator[SettingError]:
    """Yield an error for each setting that is missing or that the kind lacks, unknown arm, and cycle of arms."""
    arms, names = study.arms, [arm.name for arm in study.arms]
    for number, arm in enumerate(arms):
        where, needed = ("arms", number, "table"), ARM_KINDS[arm.kind].from_file
        if needed and arm.table is None:
            yield SettingError("missing table", where, f"none for arm {arm.name}", f"arms of kind {arm.kind} need one")
        elif not needed and arm.table is not None:
            yield SettingError("unused table", where, arm.table.at, f"remove it; kind {arm.kind} has none")
        yield from unused_settings(("arms", number), arm, ARM_KINDS)
        for setting, name in arms_read(arm).items():
            yield from known(("arms", number, setting), "arm", name, names)
    for cycle in _cycles({arm.name: [name for _, name in arms_before(study, arm)] for arm in arms}):
        number = names.index(cycle[0])
        setting = next(setting for setting, name in arms_before(study, arms[number]) if name == cycle[1])
        advice = "let one of them start from an arm that is not among them"
        yield SettingError("arms that start from each other", ("arms", number, setting), " > ".join(cycle), advice)


def _cycles(reads: dict[str, list[str]]) -> Iterator[list[str]]:
    """Names of arms of which each reads the next and the last is the first, one list per cycle."""
    while True:
        try:
            TopologicalSorter(reads).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1][::-1]
            yield cycle
            reads = {name: others for name, others in reads.items() if name not in cycle}
        else:
            return
