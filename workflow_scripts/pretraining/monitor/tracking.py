"""Passes the rows of a run's curve to an experiment tracker, each step at most once over all attempts at the run.

The curve is the record: a tracker that fails is left out with a warning, and the training goes on.
"""

import logging
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.registry import discover
from workflow_scripts.pretraining.monitor.tracker import TrackedRun, Tracker, Writer

TRACKERS = discover("workflow_scripts.pretraining.trackers", Tracker)
FOLDER = ".trackers"  # in the results folder
REQUEST = "tracked.json"  # in a run's work folder
LAST = ".last-step.json"  # in a tracker's folder: end of the name of the file with a run's last step
log = logging.getLogger(__name__)


def request(tracker: str | None, work: Path, results: Path, study: str, run: str, settings: Mapping[str, Any]) -> None:
    """Note in a run's work folder by which tracker it is followed, if any, for the process that trains it.

    Raises:
        PipelineError: the tracker's package is not installed.
    """
    if tracker is None:
        (work / REQUEST).unlink(missing_ok=True)  # an earlier attempt may have had one
        return
    if (missing := missing_tracker(tracker)) is not None:
        raise missing
    folder = (results / FOLDER / tracker).absolute()
    told = {"study": study, "name": run, "id": f"{run}-{work.name[:12]}", "folder": str(folder)}
    work.mkdir(parents=True, exist_ok=True)
    (work / REQUEST).write_bytes(pretty({"tracker": tracker, **told, "settings": dict(settings)}))


def missing_tracker(tracker: str) -> PipelineError | None:
    """The error for a tracker whose package is not installed; None if it is."""
    package = TRACKERS[tracker].package
    if find_spec(package) is not None:
        return None
    advice = f"install it with: pip install 'faithful-pairs[{tracker}]'; or set tracker: null"
    return PipelineError("tracker that is not installed", "pretraining.tracker", f"no module {package}", advice)


class Tracking:
    """The tracked run of a work folder, if there is one.

    Args:
        work: the run's work folder.
        rows: of the curve up to the checkpoint that this attempt starts from; those that an earlier attempt did not
            track are tracked now.
    """

    def __init__(self, work: Path | None, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._writer: Writer | None = None
        told = read_object_or_none(work / REQUEST) if work is not None else None
        if told is None:
            return
        tracker, folder = TRACKERS[told["tracker"]], Path(told["folder"])
        self._last = folder / f"{told['id']}{LAST}"
        run = TrackedRun(told["study"], told["name"], told["id"], folder, told["settings"])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._step = int((read_object_or_none(self._last) or {}).get("step", -1))
            self._writer = tracker.open(run)
        except Exception as error:  # noqa: BLE001 - a tracker can fail in any way, and a training must go on
            self._give_up(error)
        for row in rows:
            self.write(row)

    def write(self, row: Mapping[str, Any]) -> None:
        """Track a row of the curve, unless its step was tracked before."""
        step = int(row["step"])
        if self._writer is None or step <= self._step:
            return
        values = {name: float(value) for name, value in row.items() if name != "step" and value is not None}
        try:
            write_atomic(self._last, pretty({"step": step}))  # first: a kill in between must not repeat the step
            self._step = step
            self._writer.write(step, values)
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)

    def close(self) -> None:
        """End this attempt."""
        if self._writer is not None:
            try:
                self._writer.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._writer = None
        log.warning("the tracker failed and is left out; the curve is complete: %s: %s", type(error).__name__, error)
