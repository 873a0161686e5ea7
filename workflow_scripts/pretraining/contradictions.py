"""Contradictions between the settings of a run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workflow_scripts.pretraining.method import PAIR_INPUTS, Method, StepSettings
from workflow_scripts.pretraining.pair_settings import BY_CAPTION

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import _Run


def contradiction(run: "_Run", methods: Mapping[str, Method]) -> str | None:
    """The first contradiction in the settings of a run, or None."""
    of_methods = _wrong_method(run, methods) or _wrong_weight(run, methods)
    return of_methods or _wrong_sizes(run) or _wrong_steps(run) or _wrong_rate(run) or _wrong_probe(run)


def _wrong_method(run: "_Run", methods: Mapping[str, Method]) -> str | None:
    method = methods[run.method]
    if run.pairs not in method.pairs:
        fitting = " or ".join(method.pairs)
        return f"method {run.method} goes with pairs of kind {fitting}, not with {run.pairs}"
    if run.augmentation not in method.augmentations:
        fitting = " or ".join(method.augmentations)
        return f"method {run.method} goes with augmentation {fitting}, not with {run.augmentation}"
    if run.unpaired == "self" and PAIR_INPUTS.get(run.pairs) != "pairs":
        return f"unpaired {run.unpaired} goes with a pair table, but the pairs of this run are {run.pairs}"
    for name, one in methods.items():
        if one.objective is not None and name != run.method and getattr(run, name) is not None:
            return f"settings of {name} given for method {run.method}"
    return None


def _wrong_weight(run: "_Run", methods: Mapping[str, Method]) -> str | None:
    if run.weighted and not methods[run.method].weights:
        fitting = " or ".join(name for name, one in methods.items() if one.weights)
        return f"pair_weight {run.pair_weight} goes with method {fitting}, not with {run.method}"
    if run.weighted and run.pairs not in BY_CAPTION:
        fitting = " or ".join(BY_CAPTION)
        return f"pair_weight {run.pair_weight} goes with pairs of kind {fitting}, not with {run.pairs}"
    return None


def _wrong_sizes(run: "_Run") -> str | None:
    if run.blur_kernel and run.blur_kernel >= 2 * run.image_size:
        return f"blur_kernel {run.blur_kernel} is too large for image_size {run.image_size}"
    if run.batch_size % run.processes:
        return f"batch_size {run.batch_size} is not a multiple of processes {run.processes}"
    if (size := run.micro_batch_size) and (run.batch_size % size or run.batch_size == size):
        return f"micro_batch_size {size} is not a smaller divisor of batch_size {run.batch_size}"
    if size and size % run.processes:
        return f"micro_batch_size {size} is not a multiple of processes {run.processes}"
    if run.compile and run.recompute:
        return "compile and recompute are both true; torch.compile decides by itself what is recomputed"
    if run.processes % run.nodes:
        return f"processes {run.processes} are not a multiple of nodes {run.nodes}"
    return None


def _wrong_steps(run: "_Run") -> str | None:
    if run.trains != (run.length > 0):
        wanted = "at least 1" if run.trains else "0"
        return f"steps is {run.steps}, but method {run.method} needs {wanted}"
    if run.steps and run.warmup_steps and run.warmup_steps >= run.steps:
        return f"warmup_steps is {run.warmup_steps}, but the run has {run.steps} steps"
    if run.epochs and run.warmup_epochs and run.warmup_epochs >= run.epochs:
        return f"warmup_epochs is {run.warmup_epochs}, but the run has {run.epochs} epochs"
    if run.checkpoints and run.checkpoints[-1] > run.length:
        unit = "epochs" if run.epochs else "steps"
        return f"checkpoint {run.checkpoints[-1]} is not among the run's {unit}, 1 to {run.length}"
    if run.steps and isinstance(run.head, StepSettings):  # of epochs: once the pairs are counted
        return run.head.without_effect(run.steps, run.batch_size)
    return None


def _wrong_rate(run: "_Run") -> str | None:
    if run.initial_lr and not (run.warmup_steps or run.warmup_epochs):
        return f"initial_lr is {run.initial_lr:g}, but the run has no warm-up"
    peak = run.lr * run.batch_size / 512
    if run.initial_lr > peak:
        given = f"lr {run.lr:g} and batch_size {run.batch_size}"
        return f"initial_lr is {run.initial_lr:g}, above the peak {peak:g} of {given}"
    return None


def _wrong_probe(run: "_Run") -> str | None:
    if run.probe is None and run.patience is not None:
        return "patience needs the online probe"
    if run.probe is not None and run.steps is not None and run.probe.every > run.steps:
        return f"probe.every is {run.probe.every}, but the run has {run.steps} steps"
    return None
