"""Whose captions the runs of a study learn from."""

from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.study.config.sections import Run
from workflow_scripts.study.config.study import Study


def learned_arm(study: Study, run: Run) -> str | None:
    """The arm whose captions a run learns from: its own or, with a pair table, the table's; None if from none."""
    method = METHODS[run.method]
    if method.by_arm or not method.captions:
        return run.pairs if method.by_arm else None
    return next((table.arm for table in study.pairs if table.name == run.pairs), None)


def tokenised(study: Study) -> list[str]:
    """The arms whose captions some run learns from as tokens, in the order of the study."""
    read = {learned_arm(study, run) for run in study.runs if "tokens" in METHODS[run.method].learns}
    return [arm.name for arm in study.arms if arm.name in read]
