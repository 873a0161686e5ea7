"""How long a run trains and which checkpoints it keeps: in steps, or in epochs, which become steps once its pairs are
counted."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.method import StepSettings
from workflow_scripts.pretraining.settings import Pretrain, step_name


@dataclass(frozen=True)
class Schedule:
    """The length of a run in steps.

    Attributes:
        steps: optimizer steps.
        epoch: steps per epoch; 0 without pairs.
        warmup: steps of the linear warm-up.
        kept: step -> name, of the checkpoints that are kept besides ``last`` and ``best``.
    """

    steps: int
    epoch: int
    warmup: int
    kept: Mapping[int, str]


def steps_per_epoch(sources: float, batch_size: int) -> int:
    """Steps in an epoch over ``sources`` pairs: the pairs that fill no batch are left out."""
    return int(sources // batch_size)


def schedule(settings: Pretrain, sources: int) -> Schedule:
    """The schedule of a run over ``sources`` pairs.

    Raises:
        PipelineError: the warm-up does not end before the training, or a setting of the method has no effect before.
    """
    epoch = steps_per_epoch(sources, settings.batch_size)
    in_epochs = settings.epochs is not None
    unit = epoch if in_epochs else 1
    steps = unit * settings.length
    warmup = settings.warmup_steps or round(epoch * (settings.warmup_epochs or 0))
    if epoch and warmup >= steps:
        value = f"the warm-up takes {warmup} steps, but the run has {steps}, {epoch} of them per epoch"
        raise PipelineError("warm-up too long", "settings of pretrain", value, "shorten the warm-up or train longer")
    head = settings.head
    if epoch and isinstance(head, StepSettings) and (late := head.without_effect(steps, settings.batch_size)):
        raise PipelineError("setting without effect", "settings of pretrain", late, "lower it or train longer")
    return Schedule(steps, epoch, warmup, {step * unit: step_name(step, in_epochs) for step in settings.checkpoints})
