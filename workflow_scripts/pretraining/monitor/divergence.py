"""Stops a run whose loss or weights are not finite, before they reach a checkpoint."""

import math
from collections.abc import Mapping, Sequence

import torch

from workflow_scripts.core.errors import PipelineError

ADVICE = "lower lr, lengthen warmup_steps or set precision to no; that starts the run from step 0"


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
