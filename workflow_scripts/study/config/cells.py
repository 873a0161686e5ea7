"""What the runs of a study are to its contrasts: whose captions they use, and which control they are."""

from typing import TYPE_CHECKING, Any

from workflow_scripts.pretraining.settings import METHODS

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Pairs, Run
    from workflow_scripts.study.config.study import Study

REFERENCES = ("untrained", "supervised")
"""Methods that are a floor or a ceiling for all others."""
CONTROL_ARMS = ("shuffled", "mixed")
"""Kinds of arms whose captions are not those of the images."""


def cell(study: "Study", run: "Run") -> dict[str, Any]:
    """What the settings of the summary say about a run besides its own: ``arm``, ``role`` and ``dose``."""
    if run.method in REFERENCES or run.pairs in ("self", "none"):
        return {"role": run.method if run.method in REFERENCES else run.pairs}
    if METHODS[run.method].captions:
        return {"arm": run.pairs, "role": "caption"}
    table = next(table for table in study.pairs if table.name == run.pairs)
    if table.kind != "nearest":
        return {"role": _control(table)}
    if table.arm is None:
        return {"role": "visual"}
    arm = next(arm for arm in study.arms if arm.name == table.arm)
    role = arm.kind if arm.kind in CONTROL_ARMS else "language"
    return {"arm": arm.name, "role": role, "dose": getattr(arm, "share", None) if arm.kind == "mixed" else None}


def _control(table: "Pairs") -> str:
    """The role of pairs that are not neighbours."""
    return "random in subreddit" if (table.kind, table.scope) == ("random", "subreddit") else table.kind
