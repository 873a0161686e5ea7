"""How long a run trains and which checkpoints it keeps: in steps, or in epochs, which become steps once its pairs are
counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.method import StepSettings

if TYPE_CHECKING:
    from workflow_scripts.pretraining.settings import Pretrain


def step_name(step: int | str, epochs: bool = False) -> str:
    """A checkpoint's name in files and tables: ``step-000200``, ``epoch-0010`` with ``epochs``, ``last``, ``best``."""
    if isinstance(step, str):
        return step
    return f"epoch-{step:04d}" if epochs else f"step-{step:06d}"


class LogSpaced(Settings):
    """Log-spaced checkpoints: their steps grow by a constant factor, since networks change fastest at the start."""

    log_spaced: int = Field(
        8,
        ge=2,
        description="number of checkpoints from the first one to the last step, both included",
        examples=[5],
        json_schema_extra={"unit": "checkpoints"},
    )
    first: PositiveInt = Field(
        1_000,
        description="step of the first one, or its epoch in a run with epochs; a shorter run keeps only the last",
        examples=[10],
        json_schema_extra={"unit": "steps or epochs"},
    )

    def steps(self, end: int) -> list[int]:
        """Steps before ``end``, ascending; all but the first have two digits, so that people can name them."""
        if self.first >= end:
            return []
        found = {self.first}
        for at in range(1, self.log_spaced - 1):
            step = self.first * (end / self.first) ** (at / (self.log_spaced - 1))
            found.add(round(float(f"{step:.1e}")))
        return sorted(step for step in found if self.first <= step < end)


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


def schedule(settings: "Pretrain", sources: int) -> Schedule:
    """The schedule of a run over ``sources`` pairs.

    Raises:
        PipelineError: the warm-up does not end before the training, or a setting of the method has no effect before.
    """
    epoch = steps_per_epoch(sources, settings.batch_size)
    in_epochs = settings.epochs is not None
    steps = epoch * settings.epochs if settings.epochs is not None else settings.steps or 0
    warmup = settings.warmup_steps or 0
    if settings.warmup_epochs is not None:
        warmup = round(epoch * settings.warmup_epochs)
    if epoch and warmup >= steps:
        value = f"the warm-up takes {warmup} steps, but the run has {steps}, {epoch} of them per epoch"
        raise PipelineError("warm-up too long", "settings of pretrain", value, "shorten the warm-up or train longer")
    head = settings.head
    if epoch and isinstance(head, StepSettings) and (late := head.without_effect(steps, settings.batch_size)):
        raise PipelineError("setting without effect", "settings of pretrain", late, "lower it or train longer")
    unit = epoch if in_epochs else 1
    return Schedule(steps, epoch, warmup, {step * unit: step_name(step, in_epochs) for step in settings.checkpoints})
