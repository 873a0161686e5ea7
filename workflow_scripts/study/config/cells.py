"""What the runs of a study are to its contrasts: whose captions they use, and which control they are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.declaration.result_names import EXTERNAL, SUPERVISED, UNTRAINED
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.study.config.checks import RESERVED_PAIRS
from workflow_scripts.study.config.selection import chosen

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import Pretrain
    from workflow_scripts.study.config.sections import Run
    from workflow_scripts.study.config.study import Study

CONTROL_ARMS = ("shuffled", "mixed")
"""Kinds of arms whose captions are not those of the images."""


def summarised(
    study: "Study", runs: Mapping[str, tuple["Run", "Pretrain"]], steps: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """The runs as settings of the summary (:class:`SummaryRun`), by name, with the names of their evaluated steps."""
    return [
        {
            **{"run": name, "method": run.method, "pairs": run.pairs, "augmentation": run.augmentation},
            **{"tag": run.tag, "seed": settings.seed, "steps": steps[name], "backbone": settings.shown_backbone},
            **{"batch_size": settings.batch_size if settings.trains else 0},
            **{"trained_steps": settings.steps or 0, "epochs": settings.epochs},
            **{"views_per_pair": len(settings.views), **cell(study, run)},
            "chosen": chosen(study, settings, steps[name]),
        }
        for name, (run, settings) in runs.items()
    ]


def cell(study: "Study", run: "Run") -> dict[str, Any]:
    """What the settings of the summary say about a run besides its own: ``arm``, ``role`` and ``dose``."""
    if run.method in (UNTRAINED, SUPERVISED, EXTERNAL):
        return _cell(run.method)
    if run.pairs in RESERVED_PAIRS:
        return _cell(run.pairs)
    if METHODS[run.method].by_arm:
        return _cell("caption", run.pairs)
    table = next(table for table in study.pairs if table.name == run.pairs)
    if table.kind != "nearest":
        return _cell("random in subreddit" if (table.kind, table.scope) == ("random", "subreddit") else table.kind)
    if table.arm is None:
        return _cell("visual")
    arm = next(arm for arm in study.arms if arm.name == table.arm)
    dose = getattr(arm, "share", None) if arm.kind == "mixed" else None
    return _cell(arm.kind if arm.kind in CONTROL_ARMS else "language", arm.name, dose)


def _cell(role: str, arm: str = "", dose: float | None = None) -> dict[str, Any]:
    return {"arm": arm, "role": role, "dose": dose}
