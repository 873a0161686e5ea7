"""Settings of one pretraining run, and the methods that it may use.

A method is one file in ``methods/``, found by :func:`~workflow_scripts.core.registry.discover`. All of them are in the
code digest of ``pretrain``, so a new file makes trainings stale; ``faithful-pairs accept`` states that it changes none.

Defaults are those of language-guided SSL (El Banani et al., CVPR 2023, and its code).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.models.backbones import BACKBONES
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import Method, PairKind

METHODS = discover("workflow_scripts.pretraining.methods", Method)
HEADS = {name: method.objective.settings for name, method in METHODS.items() if method.objective is not None}


def step_name(step: int | str) -> str:
    """A checkpoint's name in files and tables: ``step-000200``, ``last``, ``best``."""
    return f"step-{step:06d}" if isinstance(step, int) else step


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
        description="step of the first one; a shorter run keeps only the last",
        examples=[10],
        json_schema_extra={"unit": "steps"},
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


class Probe(Settings):
    """Online probe: weighted nearest neighbours (Wu et al. 2018, section 3.4; Caron et al. 2021)."""

    every: PositiveInt = Field(
        5_000, description="interval between probes", examples=[1000], json_schema_extra={"unit": "steps"}
    )
    images: int = Field(
        5_000,
        ge=2,
        description="maximum number of images",
        examples=[1000],
        json_schema_extra={"unit": "images"},
    )
    neighbours: PositiveInt = Field(
        20, description="number of nearest neighbours that vote", examples=[5], json_schema_extra={"unit": "neighbours"}
    )
    temperature: PositiveFloat = Field(
        0.07, description="temperature of the votes, whose weights are exp(cosine / temperature)", examples=[0.1]
    )
    keep_best: bool = Field(
        True, description="true: the weights with the best probe result are kept as checkpoint best", examples=[False]
    )


class _Run(Settings):
    """:class:`Pretrain` without the sections of the methods."""

    method: Annotated[str, OneOf(METHODS)] = Field(description=f"method of pretraining. {listed(METHODS)}")
    pairs: PairKind = Field(description="what makes a positive pair")
    augmentation: Annotated[str, OneOf(AUGMENTATIONS)] = Field(
        description=f"augmentation of each view. {listed(AUGMENTATIONS)}"
    )
    backbone: Annotated[str, OneOf(BACKBONES)] = Field(
        "resnet50", description=f"network. {listed(BACKBONES)}", examples=["resnet18"]
    )
    image_size: int = Field(224, ge=16, description="side of a view", examples=[96], json_schema_extra={"unit": "px"})
    seed: int = Field(0, ge=0, description="seed of initialisation, order and augmentation")
    batch_size: int = Field(
        512, ge=2, description="pairs per step, over all processes", examples=[256], json_schema_extra={"unit": "pairs"}
    )
    steps: int = Field(
        250_000,
        ge=0,
        description="optimizer steps; 0 only for methods that don't train (untrained)",
        examples=[100_000],
        json_schema_extra={"unit": "steps"},
    )
    checkpoints: tuple[PositiveInt, ...] = Field(
        LogSpaced().model_dump(),
        validate_default=True,
        description="steps whose weights are kept in addition to last and best: a list, or log-spaced",
        examples=[[1000, 10_000, 100_000]],
        json_schema_extra={"unit": "steps"},
    )
    lr: PositiveFloat = Field(1e-3, description="peak learning rate, per 512 images in a batch", examples=[5.0e-4])
    final_lr: float = Field(1e-6, ge=0, description="learning rate at the last step", examples=[0])
    warmup_steps: int = Field(
        5_000, ge=0, description="length of the linear warm-up", examples=[1000], json_schema_extra={"unit": "steps"}
    )
    weight_decay: float = Field(
        0.01,
        ge=0,
        description="weight decay of AdamW; not applied to gains, biases and the logit scale",
        examples=[0.05],
    )
    precision: Literal["no", "fp16", "bf16"] = Field(
        "no", description="mixed precision; no: float32", examples=["bf16"]
    )
    processes: PositiveInt = Field(
        1,
        description="processes of a run, with one GPU each; batch_size must be a multiple",
        examples=[4],
        json_schema_extra={"unit": "GPUs"},
    )
    nodes: PositiveInt = Field(
        1,
        description="nodes that share the processes evenly; more than one only under SLURM",
        examples=[2],
        json_schema_extra={"unit": "nodes"},
    )
    probe: Probe | None = Field(None, description="online probe during training; null: none")
    patience: PositiveInt | None = Field(
        None,
        description="a run stops after this many probes without improvement; null: never",
        examples=[5],
        json_schema_extra={"unit": "probes"},
    )
    log_every: PositiveInt = Field(
        50, description="steps per row of the training curve", examples=[100], json_schema_extra={"unit": "steps"}
    )
    checkpoint_every: PositiveInt = Field(
        5_000,
        description="interval between checkpoints for resuming",
        examples=[1000],
        json_schema_extra={"unit": "steps"},
    )
    cache_mb: int = Field(
        1_024,
        ge=0,
        description="memory for decoded images, which are kept if all fit",
        examples=[8192],
        json_schema_extra={"unit": "MiB"},
    )

    @model_validator(mode="before")
    @classmethod
    def _head_of_method(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("method") in HEADS and given.get(given["method"]) is None:
            return {**given, given["method"]: {}}
        return given

    @field_validator("checkpoints", mode="before", json_schema_input_type=tuple[PositiveInt, ...] | LogSpaced)
    @classmethod
    def _spacing(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, Mapping):
            return given
        try:
            return LogSpaced.model_validate(dict(given)).steps(info.data.get("steps", 0))
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @field_validator("checkpoints")
    @classmethod
    def _ascending(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(steps)))

    @model_serializer(mode="wrap")
    def _own_head_alone(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The key of a run must not depend on which other methods exist.
        return {name: value for name, value in handler(self).items() if name not in HEADS.keys() - {self.method}}

    @property
    def trains(self) -> bool:
        """Whether the run trains: an untrained one keeps the initial weights."""
        return METHODS[self.method].objective is not None

    @property
    def head(self) -> Settings | None:
        """The settings of the run's method, the section of its name."""
        return getattr(self, self.method) if self.trains else None

    @property
    def keeps_best(self) -> bool:
        """Whether the weights with the best probe result are kept."""
        return self.probe is not None and self.probe.keep_best

    @property
    def kept(self) -> list[int | str]:
        """All checkpoints that the run keeps if it is not stopped early: steps, ``best``, ``last``."""
        return [*self.checkpoints, *(["best"] if self.keeps_best else []), "last"]

    @property
    def sure_steps(self) -> int:
        """Steps that the run is certain to do: the stopping rule can't end it before."""
        if self.patience is None or self.probe is None:
            return self.steps
        return min(self.steps, self.probe.every * (self.patience + 1))

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for complaint in (self._wrong_method(), self._wrong_steps(), self._wrong_probe()):
            if complaint:
                raise ValueError(complaint)
        return self

    def _wrong_method(self) -> str | None:
        method = METHODS[self.method]
        if self.pairs not in method.pairs:
            fitting = " or ".join(name for name, one in METHODS.items() if self.pairs in one.pairs)
            return f"pairs {self.pairs} go with {fitting}, not with {self.method}"
        if self.augmentation not in method.augmentations:
            fitting = " or ".join(method.augmentations)
            return f"method {self.method} goes with augmentation {fitting}, not with {self.augmentation}"
        for name in HEADS:
            if name != self.method and getattr(self, name) is not None:
                return f"settings of {name} given for method {self.method}"
        if self.batch_size % self.processes:
            return f"batch_size {self.batch_size} is not a multiple of processes {self.processes}"
        if self.processes % self.nodes:
            return f"processes {self.processes} are not a multiple of nodes {self.nodes}"
        return None

    def _wrong_steps(self) -> str | None:
        if self.trains != (self.steps > 0):
            wanted = "at least 1" if self.trains else "0"
            return f"steps is {self.steps}, but method {self.method} needs {wanted}"
        if self.steps and self.warmup_steps >= self.steps:
            return f"warmup_steps is {self.warmup_steps}, but the run has {self.steps} steps"
        if self.checkpoints and self.checkpoints[-1] > self.steps:
            return f"checkpoint {self.checkpoints[-1]} is not among the run's steps, 1 to {self.steps}"
        return None

    def _wrong_probe(self) -> str | None:
        if self.probe is None and self.patience is not None:
            return "patience needs the online probe"
        if self.probe is not None and self.probe.every > self.steps:
            return f"probe.every is {self.probe.every}, but the run has {self.steps} steps"
        return None


if TYPE_CHECKING:

    class Pretrain(_Run):
        """One run: method x pairs x augmentation x backbone x seed."""
else:
    Pretrain = create_model(
        "Pretrain",
        __base__=_Run,
        __doc__="One run: method x pairs x augmentation x backbone x seed.",
        **{name: (head | None, Field(None, description=f"settings of method {name}")) for name, head in HEADS.items()},
    )
