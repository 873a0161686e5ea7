"""TensorBoard: event files in the results folder."""

from collections.abc import Mapping

from workflow_scripts.pretraining.monitor.tracker import TrackedRun, Tracker, Writer


class Events:
    """Event files of one run."""

    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.folder / run.id))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step, and flush them, so that a kill loses none."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; another attempt writes one of its own beside it."""
        self._writer.close()


def start(run: TrackedRun) -> Writer:
    """Event files in ``<folder>/<id>``."""
    return Events(run)


TRACKER = Tracker(
    name="tensorboard",
    summary="event files in results/.trackers/tensorboard; never a network request",
    package="tensorboard",
    open=start,
)
