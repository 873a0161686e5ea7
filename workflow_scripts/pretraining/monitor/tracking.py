"""Passes the rows of a run's curve to an experiment tracker.

The curve is the record: a tracker that fails is left out with a warning, and the training goes on.
"""

import logging
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.cache import results_root
from workflow_scripts.core.errors import PipelineError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from workflow_scripts.pretraining.training.plan import Plan

FOLDER = ".trackers"  # in the results folder
PRIVATE = {"stage_in", "network"}  # settings that may hold paths
log = logging.getLogger(__name__)


def missing_tracker(tracker: str) -> PipelineError | None:
    """The error for a tracker whose package is not installed; None if it is."""
    if find_spec(tracker) is not None:
        return None
    advice = f"install it with: pip install 'faithful-pairs[{tracker}]'; or set tracker: null"
    return PipelineError("tracker that is not installed", "pretraining.tracker", f"no module {tracker}", advice)


def tracker_folder(plan: "Plan") -> Path:
    """Folder of a run's tracker, shared by all runs of the results folder."""
    return (results_root(plan.work) / FOLDER / str(plan.settings.tracker)).absolute()


class Tracking:
    """The tracked run of a plan, if its settings name a tracker.

    Its id is the same for each attempt at the run, and another one if anything in its key changes. An attempt tracks
    the rows since its checkpoint, which have been tracked before if the last attempt got further.

    Args:
        accelerator: of the main process, made to log with that tracker in :func:`tracker_folder`.
    """

    def __init__(self, accelerator: "Accelerator", plan: "Plan") -> None:
        self._accelerator, self._plan = accelerator, plan
        self._on = plan.settings.tracker is not None and accelerator.is_main_process

    def _start(self, step: int) -> None:
        plan = self._plan
        folder, name = tracker_folder(plan), f"{plan.run}-{plan.work.name[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard names a run by its folder.
        project = f"{plan.study}/{name}" if plan.settings.tracker == "tensorboard" else plan.study
        # It hides what an earlier attempt tracked from this step on.
        options = {"tensorboard": {"purge_step": step}, "wandb": _options(plan, name, folder)}
        self._accelerator.init_trackers(project, init_kwargs=options)

    def write(self, row: Mapping[str, Any]) -> None:
        """Track a row of the curve."""
        values = {name: float(value) for name, value in row.items() if name != "step" and value is not None}
        self._tried(lambda: self._log(values, int(row["step"])))

    def _log(self, values: dict[str, float], step: int) -> None:
        if not self._accelerator.trackers:
            self._start(step)
        self._accelerator.log(values, step=step)

    def close(self) -> None:
        """End this attempt, once everything is written."""
        # Not end_training, which also ends the connection to other processes.
        self._tried(lambda: [tracker.finish() for tracker in self._accelerator.trackers])

    def _tried(self, action: Callable[[], object]) -> None:
        """Do it, if there is a tracker."""
        if not self._on:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a tracker can fail in any way, and a training must go on
            self._on = False
            log.warning(
                "the tracker failed and is left out; the curve is complete: %s: %s", type(error).__name__, error
            )


def _options(plan: "Plan", name: str, folder: Path) -> dict[str, Any]:
    """What W&B is started with; nothing is sent unless the user's environment says so."""
    run = {"id": name, "name": plan.run, "dir": str(folder), "resume": "allow"}
    quiet = {"console": "off", "disable_git": True, "disable_code": True, "silent": True}
    switches = {"mode": os.environ.get("WANDB_MODE", "offline"), "settings": quiet}
    return {**run, **switches, "config": plan.settings.model_dump(mode="json", exclude=PRIVATE)}
