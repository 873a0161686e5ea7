"""What the captions of an arm are made from: other arms, scores of judges, and people's ratings."""

from typing import TYPE_CHECKING

from workflow_scripts.stages.select_captions import ARM_KINDS

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Arm
    from workflow_scripts.study.config.study import Study


def arms_read(arm: "Arm") -> dict[str, str]:
    """Setting -> name of another arm, for each that the arm reads."""
    named = {setting: getattr(arm, setting) for setting in ARM_KINDS[arm.kind].arms}
    return {setting: name for setting, name in named.items() if name is not None}


def judges_read(arm: "Arm") -> list[str]:
    """Names of the judges whose scores choose the arm's captions."""
    judge: str | tuple[str, ...] | None = getattr(arm, "judge", None)
    return [judge] if isinstance(judge, str) else list(judge or ())


def is_calibrated(arm: "Arm") -> bool:
    """Whether the arm's margin is that of people's ratings."""
    return getattr(arm, "margin", None) == "calibrated"


def arms_before(study: "Study", arm: "Arm") -> list[tuple[str, str]]:
    """(setting, name of another arm) for each arm that must be there before this one.

    The scores of a judge that compares captions with those of a reference arm are made after that arm.
    """
    references = {judge.name: judge.reference for judge in study.judges if judge.reference is not None}
    behind = [("judge", references[judge]) for judge in judges_read(arm) if judge in references]
    return [*arms_read(arm).items(), *behind]


def chosen_by_judges(study: "Study") -> set[str]:
    """Arms whose captions are made after scores of judges."""
    return _with_dependents(study, {arm.name for arm in study.arms if judges_read(arm)})


def after_ratings(study: "Study") -> set[str]:
    """Arms whose captions are made after the ratings have been read, so that the ratings can't be of them."""
    return _with_dependents(study, {arm.name for arm in study.arms if is_calibrated(arm)})


def _with_dependents(study: "Study", found: set[str]) -> set[str]:
    """``found`` and all arms that are made after one of them."""
    before = {arm.name: {name for _, name in arms_before(study, arm)} for arm in study.arms}
    while more := {name for name, others in before.items() if others & found} - found:
        found = found | more
    return found
