"""Checks of a study's arms: each has what its kind needs, and the arms that it reads do not read it."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.study.config.errors import SettingError, known, unused_settings
from workflow_scripts.study.config.sections import Arm


def arms_read(arm: Arm) -> dict[str, str]:
    """Setting -> name of another arm, for each that the arm reads."""
    named = {setting: getattr(arm, setting) for setting in ARM_KINDS[arm.kind].arms}
    return {setting: name for setting, name in named.items() if name is not None}


def arm_errors(arms: Sequence[Arm]) -> Iterator[SettingError]:
    """Yield an error for each setting that is missing or that the kind lacks, unknown arm, and cycle of arms."""
    names = [arm.name for arm in arms]
    for number, arm in enumerate(arms):
        where, needed = ("arms", number, "table"), ARM_KINDS[arm.kind].from_file
        if needed and arm.table is None:
            yield SettingError("missing table", where, f"none for arm {arm.name}", f"arms of kind {arm.kind} need one")
        elif not needed and arm.table is not None:
            yield SettingError("unused table", where, arm.table.at, f"remove it; kind {arm.kind} has none")
        yield from unused_settings(("arms", number), arm, ARM_KINDS)
        for setting, name in arms_read(arm).items():
            yield from known(("arms", number, setting), "arm", name, names)
    for cycle in _cycles({arm.name: list(arms_read(arm).values()) for arm in arms}):
        number = names.index(cycle[0])
        setting = next(setting for setting, name in arms_read(arms[number]).items() if name == cycle[1])
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
