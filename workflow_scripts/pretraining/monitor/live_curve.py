"""The training curve while a run trains: ``curve.jsonl`` in its work folder, one JSON object per line.

It is for monitoring; ``curve.parquet`` is the record. Each line holds the columns of that table and ``steps``
(planned), ``epoch`` (passes over the pairs), ``images_per_s`` (sources per second since the line before, probe and
checkpoints left out), ``data_wait`` (share of that time, 0..1, in which the network waited for a batch), and the
peaks of memory so far (:data:`PEAKS`), where they are known. Speed and wait are null at step 0.
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.core.files.bounded_json import Unfit, read_bytes
from workflow_scripts.core.runtime.meter import current
from workflow_scripts.pretraining.schedule import Schedule

CURVE_LINES = "curve.jsonl"
PEAKS = ("gpu_peak_bytes", "memory_peak_bytes")
LARGEST = 10**15  # a larger whole number is damage


class LiveCurve:
    """Measures the speed of a run, and writes the rows of its curve as they are produced.

    Args:
        path: the file, or None in a process that does not write. Lines of an earlier attempt stay, up to ``step``;
            later ones come again.
        schedule: length of the run.
        batch: sources per step.
        step: step at which this attempt starts.
    """

    def __init__(self, path: Path | None, schedule: Schedule, batch: int, step: int) -> None:
        self._path, self._schedule, self._batch = path, schedule, batch
        if path is not None:
            kept = [row for row in read_curve(path) if row["step"] is not None and row["step"] <= step] if step else []
            with suppress(OSError):  # live figures must not make a training fail on a full disk
                path.write_text("".join(f"{json.dumps(row)}\n" for row in kept))
        self.restart(step)

    def measure(self, step: int) -> dict[str, float | None]:
        """``images_per_s`` and ``data_wait`` since :meth:`restart`; null if no step was done since."""
        seconds, done = time.monotonic() - self._start, step - self._step
        if seconds <= 0 or done == 0:
            return {"images_per_s": None, "data_wait": None}
        wait = min(1.0, (current().waited - self._waited) / seconds)
        figures = current().figures()
        peaks: dict[str, float | None] = {name: figures[name] for name in PEAKS if name in figures}
        return {"images_per_s": done * self._batch / seconds, "data_wait": wait, **peaks}

    def write(self, row: dict[str, Any], measured: dict[str, float | None]) -> None:
        """Append a row of the curve and what was measured with it."""
        if self._path is not None:
            length = {"steps": self._schedule.steps, "epoch": row["step"] / self._schedule.epoch}
            with suppress(OSError), self._path.open("a") as file:
                file.write(json.dumps({**row, **length, **measured}) + "\n")

    def restart(self, step: int) -> None:
        """Measure the next row from now on, after what belongs to the row of ``step``."""
        self._step, self._start, self._waited = step, time.monotonic(), current().waited


def read_curve(path: Path) -> list[dict[str, float | None]]:
    """Rows of a live curve, first to last; none without a file that can be read.

    A line that is damaged or still being written is left out. Values that are not numbers become None.
    """
    try:
        lines = read_bytes(path).splitlines(keepends=True)
    except (OSError, Unfit):
        return []
    rows = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            row = json.loads(line)
            if line.endswith(b"\n") and isinstance(row, dict) and "step" in row:
                rows.append({name: _number(value) for name, value in row.items()})
    return rows


def _number(value: Any) -> float | None:
    return value if isinstance(value, float) or (isinstance(value, int) and abs(value) < LARGEST) else None
