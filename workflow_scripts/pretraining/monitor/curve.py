"""The curve of a run: losses stay on the device until a row needs them, and are read a step later.

Losses and weights that are not finite stop the run before they reach a checkpoint.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor.collapse import warn_of_collapse
from workflow_scripts.pretraining.monitor.live_curve import LiveCurve
from workflow_scripts.pretraining.monitor.tracking import Tracking
from workflow_scripts.pretraining.training.checkpoint import State

ADVICE = "lower lr, lengthen warmup_steps or set precision to no; that starts the run from step 0"


class Reading:
    """A copy of a tensor to the processor, which goes on while it is made."""

    def __init__(self, values: torch.Tensor) -> None:
        self._made: torch.cuda.Event | None = None
        self._values = values
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._made = torch.cuda.Event()
            self._made.record()

    def values(self) -> list[float]:
        """The numbers of the tensor, once they are there."""
        if self._made is not None:
            self._made.synchronize()
        return [float(value) for value in self._values.tolist()]


def check_losses(losses: Sequence[float], last: int, saved: int) -> None:
    """Refuse losses of the steps up to ``last`` that are not finite.

    Args:
        saved: step of the last checkpoint.

    Raises:
        PipelineError: with the first such step.
    """
    for step, loss in enumerate(losses, last - len(losses) + 1):
        if not math.isfinite(loss):
            raise PipelineError("loss is not finite", f"step {step} of pretrain", loss, _advice(saved))


def check_weights(weights: Mapping[str, torch.Tensor], step: int, saved: int) -> None:
    """Refuse weights and buffers that are not finite: an overflow in a gradient spoils them after a finite loss.

    Raises:
        PipelineError: with the first of them.
    """
    floating = {name: value for name, value in weights.items() if value.is_floating_point()}
    if bool(torch.stack([value.isfinite().all() for value in floating.values()]).all()):  # one wait for a GPU
        return
    name = next(name for name, value in floating.items() if not bool(value.isfinite().all()))
    raise PipelineError("weights are not finite", f"step {step} of pretrain", name, _advice(saved))


def _advice(saved: int) -> str:
    kept = f"the checkpoint of step {saved} is kept" if saved else "there was no checkpoint yet"
    return f"{kept}; {ADVICE}"


class _Row(NamedTuple):
    """A row whose loss is not known yet: its other values, what was measured with it, and the losses to come."""

    values: dict[str, Any]
    measured: dict[str, float | None]
    losses: Reading | None


class Curve:
    """Adds rows to the curve of ``state``, and to those who show it.

    Attributes:
        saved: step of the last checkpoint, for errors.
    """

    def __init__(self, accelerator: Accelerator, state: State, live: LiveCurve, tracking: Tracking) -> None:
        self._accelerator, self._state, self._live, self._tracking = accelerator, state, live, tracking
        self.saved = state.step
        self._losses: list[torch.Tensor] = []
        self._row: _Row | None = None

    def add_loss(self, loss: torch.Tensor) -> None:
        """The loss of a step of this process, a scalar on its device."""
        self._losses.append(loss.detach())

    def start(self, values: dict[str, Any]) -> None:
        """Add the row before the first step."""
        self._add(values, self._live.measure(0))
        self._live.restart(0)

    def request(self, values: dict[str, Any], measured: dict[str, float | None]) -> None:
        """Start a row with the mean loss since the row before; :meth:`add` ends it."""
        self._row = _Row(values, measured, self._request())

    def add(self) -> None:
        """Add the row that was started, if one was.

        Raises:
            PipelineError: a loss is not finite.
        """
        if self._row is None:
            return
        row, self._row = self._row, None
        self._keep(row.losses, row.values["step"])
        loss = math.fsum(self._state.window) / len(self._state.window)
        self._state.window.clear()
        self._add({**row.values, "loss": loss}, row.measured)

    def collect(self) -> None:
        """Move all losses and the row that was started to the state.

        Raises:
            PipelineError: a loss is not finite.
        """
        self.add()
        self._keep(self._request(), self._state.step)

    def _request(self) -> Reading | None:
        """The losses that are only on the device, as means over all processes."""
        if not self._losses:
            return None
        reading = Reading(self._accelerator.reduce(torch.stack(self._losses).float(), "mean"))
        self._losses.clear()
        return reading

    def _keep(self, reading: Reading | None, last: int) -> None:
        if reading is not None:
            values = reading.values()
            check_losses(values, last, self.saved)
            self._state.window.extend(values)

    def _add(self, row: dict[str, Any], measured: dict[str, float | None]) -> None:
        self._state.curve.append(row)
        warn_of_collapse(self._state.curve)
        self._live.write(row, measured)
        self._tracking.write({**row, **measured})
