"""The curve of a run: losses stay on the device until a row or a checkpoint needs them.

Losses and weights that are not finite stop the run before they reach a checkpoint.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor.collapse import warn_of_collapse
from workflow_scripts.pretraining.monitor.live_curve import LiveCurve
from workflow_scripts.pretraining.monitor.tracking import Tracking
from workflow_scripts.pretraining.training.checkpoint import State


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
    return f"{kept}; lower lr, lengthen warmup_steps or set precision to no; that starts the run from step 0"


class Curve:
    """Adds rows to the curve of ``state``, and to those who show it.

    Attributes:
        saved: step of the last checkpoint, for errors.
    """

    def __init__(self, accelerator: Accelerator, state: State, live: LiveCurve, tracking: Tracking) -> None:
        self._accelerator, self._state, self._live, self._tracking = accelerator, state, live, tracking
        self.saved = state.step
        self._losses: list[torch.Tensor] = []

    def add_loss(self, loss: torch.Tensor) -> None:
        """The loss of a step of this process, a scalar on its device."""
        self._losses.append(loss.detach())

    def collect(self) -> None:
        """Move all losses, as means over all processes, from the device to the state.

        Raises:
            PipelineError: a loss is not finite.
        """
        if self._losses:
            losses = self._accelerator.reduce(torch.stack(self._losses).float(), "mean").tolist()
            self._losses.clear()
            check_losses(losses, self._state.step, self.saved)
            self._state.window.extend(losses)

    def add(self, values: dict[str, Any], measured: dict[str, float | None]) -> None:
        """Add a row with the mean of the losses that were collected since the row before, null if there are none."""
        window = self._state.window
        row = {**values, "loss": math.fsum(window) / len(window) if window else None}
        window.clear()
        self._state.curve.append(row)
        warn_of_collapse(self._state.curve)
        self._live.write(row, measured)
        self._tracking.write({**row, **measured})
