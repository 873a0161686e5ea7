"""Live figures of running jobs, from the files in their work folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.runtime.attempts import logged_work_folder
from workflow_scripts.core.runtime.progress import Progress, read_progress
from workflow_scripts.pretraining.live_curve import CURVE_LINES, read_curve

SECONDS_BETWEEN_READS = 1.0


@dataclass(frozen=True)
class Figures:
    """Figures of a running job.

    Attributes:
        progress: its progress.
        training: the latest values of its training curve, as text.
    """

    progress: Progress | None = None
    training: str = ""


class Reader:
    """Reads the figures of jobs by their logs, each at most once a second."""

    def __init__(self) -> None:
        self._last: dict[Path, tuple[float, Figures]] = {}

    def read(self, log: Path | None, now: float) -> Figures:
        """Figures of the job with this log; empty ones before it has any."""
        if log is None:
            return Figures()
        when, figures = self._last.get(log, (float("-inf"), Figures()))
        if now - when >= SECONDS_BETWEEN_READS:
            figures = self._read(log)
            self._last[log] = (now, figures)
        return figures

    def forget(self, log: Path | None) -> None:
        """The job with this log has ended."""
        if log is not None:
            self._last.pop(log, None)

    @staticmethod
    def _read(log: Path) -> Figures:
        work = logged_work_folder(log)  # not cached: at first the log can still be that of an earlier run
        if work is None:
            return Figures()
        return Figures(read_progress(work), training_text(read_curve(work / CURVE_LINES)))


def training_text(rows: list[dict[str, Any]]) -> str:
    """Latest loss, learning rate, images/s, share of time waiting for data, and kNN accuracy of a training curve."""
    forms = {
        "loss": "loss {:.3g}",
        "lr": "lr {:.2g}",
        "images_per_s": "{:,.0f} images/s",
        "data_wait": "data wait {:.0%}",
        "knn_accuracy": "kNN {:.1%}",
    }
    latest: dict[str, Any] = {}
    for row in rows:
        latest |= {name: row[name] for name in forms if row.get(name) is not None}
    return "  ".join(form.format(latest[name]) for name, form in forms.items() if name in latest)
