"""Passes the rows of a run's curve to an experiment tracker, each step at most once over all attempts at the run.

The curve is the record: a tracker that fails is left out with a warning, and the training goes on.
"""

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.cache import results_root
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.jsonio import pretty

if TYPE_CHECKING:
    from accelerate import Accelerator

    from workflow_scripts.pretraining.training.plan import Plan

FOLDER = ".trackers"  # in the results folder
LAST = ".last-step.json"  # in a tracker's folder: end of the name of the file with a run's last step
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

    Its id is the same for each attempt at the run, and another one if anything in its key changes.

    Args:
        accelerator: of the main process, made to log with that tracker in :func:`tracker_folder`.
        rows: of the curve up to the checkpoint that this attempt starts from; those that an earlier attempt did not
            track are tracked now.
    """

    def __init__(self, accelerator: "Accelerator", plan: "Plan", rows: list[dict[str, Any]]) -> None:
        self._accelerator, self._on = accelerator, plan.settings.tracker is not None and accelerator.is_main_process
        if not self._on:
            return
        folder, name = tracker_folder(plan), f"{plan.run}-{plan.work.name[:12]}"
        self._last = folder / f"{name}{LAST}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._step = int((read_object_or_none(self._last) or {}).get("step", -1))
            # TensorBoard names a run by its folder.
            project = f"{plan.study}/{name}" if plan.settings.tracker == "tensorboard" else plan.study
            accelerator.init_trackers(project, init_kwargs=_options(plan, name, folder))
        except Exception as error:  # noqa: BLE001 - a tracker can fail in any way, and a training must go on
            self._give_up(error)
        for row in rows:
            self.write(row)

    def write(self, row: Mapping[str, Any]) -> None:
        """Track a row of the curve, unless its step was tracked before."""
        if not self._on or (step := int(row["step"])) <= self._step:
            return
        values = {name: float(value) for name, value in row.items() if name != "step" and value is not None}
        try:
            write_atomic(self._last, pretty({"step": step}))  # first: a kill in between must not repeat the step
            self._step = step
            self._accelerator.log(values, step=step)
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)

    def close(self) -> None:
        """End this attempt, once everything is written."""
        try:
            for tracker in self._accelerator.trackers if self._on else ():
                tracker.finish()  # not end_training, which also ends the connection to other processes
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._on = False
        log.warning("the tracker failed and is left out; the curve is complete: %s: %s", type(error).__name__, error)


def _options(plan: "Plan", name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What each tracker is started with; nothing is sent unless the user's environment says so."""
    shared = {"resume": "allow", "config": plan.settings.model_dump(mode="json", exclude=PRIVATE)}
    quiet = {"console": "off", "disable_git": True, "disable_code": True, "silent": True}
    os.environ.setdefault("TRACKIO_DIR", str(folder))  # read when Trackio is imported
    mode = os.environ.get("WANDB_MODE", "offline")
    wandb = {**shared, "id": name, "name": plan.run, "dir": str(folder), "mode": mode, "settings": quiet}
    return {"wandb": wandb, "trackio": {**shared, "name": name, "embed": False}}
