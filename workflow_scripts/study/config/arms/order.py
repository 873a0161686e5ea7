"""What the captions of an arm are made from: other arms, and scores of a judge."""

from typing import TYPE_CHECKING

from workflow_scripts.stages.select_captions import ARM_KINDS

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Arm
    from workflow_scripts.study.config.study import Study


def arms_read(arm: "Arm") -> dict[str, str]:
    """Setting -> name of another arm, for each that the arm reads."""
    named = {setting: getattr(arm, setting) for setting in ARM_KINDS[arm.kind].arms}
    return {setting: name for setting, name in named.items() if name is not None}


def judge_read(arm: "Arm") -> str | None:
    """Name of the judge whose scores choose the arm's captions, if one does."""
    judge: str | None = getattr(arm, "judge", None)
    return judge


def arms_before(study: "Study", arm: "Arm") -> list[tuple[str, str]]:
    """(setting, name of another arm) for each arm that must be there before this one.

    The scores of a judge that compares captions with those of a reference arm are made after that arm.
    """
    judge = next((one for one in study.judges if one.name == judge_read(arm)), None)
    behind = [("judge", judge.reference)] if judge is not None and judge.reference is not None else []
    return [*arms_read(arm).items(), *behind]


def chosen_by_judges(study: "Study") -> set[str]:
    """Arms whose captions are made after scores of judges."""
    chosen = {arm.name for arm in study.arms if judge_read(arm) is not None}
    before = {arm.name: {name for _, name in arms_before(study, arm)} for arm in study.arms}
    while more := {name for name, others in before.items() if others & chosen} - chosen:
        chosen |= more
    return chosen
