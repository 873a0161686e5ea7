"""Live figures of a running job, from the files in its work folder; what is damaged or half written is left out."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.runtime.progress import Progress, read_progress
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES, read_curve


@dataclass(frozen=True)
class Figures:
    """Figures of a running job.

    Attributes:
        progress: its progress, if it reports any.
        curve: of a training, the latest value in each column of its live curve, None if that is not finite; empty
            before it has any.
    """

    progress: Progress | None = None
    curve: dict[str, float | None] = field(default_factory=dict)


def read_figures(work: Path) -> Figures:
    """Figures of the job with this work folder."""
    latest: dict[str, float | None] = {}
    for row in read_curve(work / CURVE_LINES):
        measured = {name: value for name, value in row.items() if value is not None}
        latest |= {name: value if math.isfinite(value) else None for name, value in measured.items()}
    return Figures(read_progress(work), latest)
