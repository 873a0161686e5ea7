"""Weights & Biases, offline unless the user's environment says otherwise."""

import os
from collections.abc import Mapping
from typing import Any

from workflow_scripts.pretraining.monitor.tracker import TrackedRun, Tracker, Writer


class Synced:
    """A run of Weights & Biases."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """End this attempt, once everything is written."""
        self._run.finish()


def start(run: TrackedRun) -> Writer:
    """A run with our id; WANDB_MODE=online sends it, by default it is a folder for ``wandb sync``."""
    import wandb

    return Synced(
        wandb.init(
            **{"project": run.study, "id": run.id, "name": run.name, "resume": "allow", "config": run.settings},
            **{"dir": str(run.folder), "mode": os.environ.get("WANDB_MODE", "offline")},
            settings=wandb.Settings(console="off", disable_git=True, disable_code=True, silent=True),
        )
    )


TRACKER = Tracker(
    name="wandb",
    summary="Weights & Biases; offline in results/.trackers/wandb unless WANDB_MODE is set",
    package="wandb",
    open=start,
)
