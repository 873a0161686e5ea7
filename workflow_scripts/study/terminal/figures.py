"""Live figures of the running jobs, read by their logs."""

from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.core.runtime.figures import FIGURES
from workflow_scripts.core.runtime.job_log import logged_work_folder
from workflow_scripts.pretraining.monitor.live_curve import PEAKS
from workflow_scripts.study.live_figures import Figures, read_figures

SECONDS_BETWEEN_READS = 1.0


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
        return Figures() if work is None else read_figures(work)


def training_text(curve: Mapping[str, float | None]) -> str:
    """Latest epoch, loss, learning rate, images/s, wait for data, memory and kNN accuracy of a training."""
    forms = {
        "epoch": "epoch {:.3g}",
        "loss": "loss {:.3g}",
        "lr": "lr {:.2g}",
        "images_per_s": "{:,.0f} images/s",
        "data_wait": "data wait {:.0%}",
        "knn_accuracy": "kNN {:.1%}",
        **{name: f"{FIGURES[name].title} {{}}" for name in PEAKS},
    }
    known = {name: value for name in forms if (value := curve.get(name)) is not None}
    shown = {name: FIGURES[name].text(value) if name in PEAKS else value for name, value in known.items()}
    return "  ".join(forms[name].format(value) for name, value in shown.items())
