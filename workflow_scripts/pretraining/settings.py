"""Settings of one pretraining run.

Defaults are those of language-guided SSL (El Banani et al., CVPR 2023, and its code); those of a method's own part are
from SimCLR (Chen et al. 2020), SimSiam (Chen and He 2021) and CLIP (Radford et al. 2021).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.models.backbones import BACKBONES

METHODS_OF_PAIRS = {
    "self": ("simclr", "simsiam"),
    "language": ("simclr", "simsiam"),
    "visual": ("simclr", "simsiam"),
    "caption": ("clip",),
    "none": ("untrained",),
}


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


class SimclrHead(Settings):
    """SimCLR: projector and temperature of the NT-Xent loss."""

    projector: tuple[PositiveInt, ...] = Field(
        (2048, 2048, 128), min_length=1, description="widths of the projector's layers", examples=[[256, 256, 64]]
    )
    temperature: PositiveFloat = Field(
        0.1, description="temperature of the softmax over cosine similarities", examples=[0.2]
    )


class SimsiamHead(Settings):
    """SimSiam: projector, and hidden width of the predictor."""

    projector: tuple[PositiveInt, ...] = Field(
        (2048, 2048, 2048), min_length=1, description="widths of the projector's layers", examples=[[256, 256, 256]]
    )
    predictor: PositiveInt = Field(512, description="hidden width of the predictor", examples=[64])


class ClipHead(Settings):
    """CLIP: shared embedding, text transformer, and tokenizer."""

    embedding: PositiveInt = Field(512, description="width of the embedding that image and text share", examples=[256])
    text_width: PositiveInt = Field(512, description="width of the text transformer", examples=[256])
    text_layers: PositiveInt = Field(
        12, description="layers of the text transformer", examples=[4], json_schema_extra={"unit": "layers"}
    )
    text_heads: PositiveInt = Field(
        8,
        description="attention heads of the text transformer; text_width must be a multiple",
        examples=[4],
        json_schema_extra={"unit": "heads"},
    )
    context: int = Field(
        77,
        ge=3,
        description="maximum length of a caption, including start and end token",
        examples=[32],
        json_schema_extra={"unit": "tokens"},
    )
    vocabulary: int = Field(
        49_408,
        ge=259,
        description="maximum vocabulary of the byte-level BPE that is trained on the captions",
        examples=[8192],
        json_schema_extra={"unit": "tokens"},
    )
    temperature: PositiveFloat = Field(0.07, description="initial temperature; it is learned", examples=[0.1])

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width {self.text_width} is not a multiple of text_heads {self.text_heads}")
        return self


HEADS = {"simclr": SimclrHead, "simsiam": SimsiamHead, "clip": ClipHead}


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


class Pretrain(Settings):
    """One run: method x pairs x augmentation x backbone x seed."""

    method: Literal["simclr", "simsiam", "clip", "untrained"] = Field(
        description="method of pretraining; untrained: a network at its initial weights"
    )
    pairs: Literal["self", "language", "visual", "caption", "none"] = Field(description="what makes a positive pair")
    augmentation: Literal["simclr", "crop", "none"] = Field(description="augmentation of each view")
    backbone: Annotated[str, OneOf(BACKBONES)] = Field(
        "resnet50", description=f"network; {listed(BACKBONES)}", examples=["resnet18"]
    )
    image_size: int = Field(224, ge=16, description="side of a view", examples=[96], json_schema_extra={"unit": "px"})
    seed: int = Field(0, ge=0, description="seed of initialisation, order and augmentation")
    batch_size: int = Field(
        512, ge=2, description="pairs per step, over all processes", examples=[256], json_schema_extra={"unit": "pairs"}
    )
    steps: int = Field(
        250_000,
        ge=0,
        description="optimizer steps; 0 only for untrained",
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
    simclr: SimclrHead | None = Field(None, description="settings of method simclr")
    simsiam: SimsiamHead | None = Field(None, description="settings of method simsiam")
    clip: ClipHead | None = Field(None, description="settings of method clip")
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

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best probe are kept."""
        return self.probe is not None and self.probe.keep_best

    @property
    def kept(self) -> list[int | str]:
        """All checkpoints that the run keeps if it is not stopped early: steps, ``best``, ``last``."""
        return [*self.checkpoints, *(["best"] if self.keeps_best else []), "last"]

    @property
    def sure_steps(self) -> int:
        """Steps that the run does whatever its probes say: the stopping rule can't end it before."""
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
        if self.method not in METHODS_OF_PAIRS[self.pairs]:
            return f"pairs {self.pairs} go with {' or '.join(METHODS_OF_PAIRS[self.pairs])}, not with {self.method}"
        for name in HEADS:
            if name != self.method and getattr(self, name) is not None:
                return f"settings of {name} given for method {self.method}"
        if self.batch_size % self.processes:
            return f"batch_size {self.batch_size} is not a multiple of processes {self.processes}"
        if self.processes % self.nodes:
            return f"processes {self.processes} are not a multiple of nodes {self.nodes}"
        return None

    def _wrong_steps(self) -> str | None:
        if (self.method == "untrained") != (self.steps == 0):
            return f"steps is {self.steps} for method {self.method}; 0 steps and untrained go together"
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
