"""Trackio (Hugging Face): a local database, or the user's Space."""

import os
from collections.abc import Mapping
from typing import Any

from workflow_scripts.pretraining.monitor.tracker import TrackedRun, Tracker, Writer


class Logged:
    """A run of Trackio."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """End this attempt, once everything is written."""
        self._run.finish()


def start(run: TrackedRun) -> Writer:
    """A run with our id as its name, in a database in ``folder`` unless TRACKIO_DIR names another one."""
    os.environ.setdefault("TRACKIO_DIR", str(run.folder))  # read when it is imported
    import trackio

    return Logged(trackio.init(project=run.study, name=run.id, resume="allow", config=run.settings, embed=False))


TRACKER = Tracker(
    name="trackio",
    summary="Trackio; a database in results/.trackers/trackio unless its environment variables say otherwise",
    package="trackio",
    open=start,
)
