"""Settings of one pretraining run.

Defaults are those of language-guided SSL (El Banani et al., CVPR 2023, and its published code), for the methods'
own parts those of SimCLR (Chen et al. 2020), SimSiam (Chen and He 2021) and CLIP (Radford et al. 2021).
"""

from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workflow_scripts.core.settings.base import Settings

METHODS_OF_PAIRS = {
    "self": ("simclr", "simsiam"),
    "language": ("simclr", "simsiam"),
    "visual": ("simclr", "simsiam"),
    "caption": ("clip",),
    "none": ("untrained",),
}


class SimclrHead(Settings):
    """SimCLR: projector and temperature of the NT-Xent loss."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 128), min_length=1, description="widths of the MLP")
    temperature: PositiveFloat = Field(0.1, description="of the softmax over cosine similarities")


class SimsiamHead(Settings):
    """SimSiam: projector, and hidden width of the predictor."""

    projector: tuple[PositiveInt, ...] = Field((2048, 2048, 2048), min_length=1, description="widths of the MLP")
    predictor: PositiveInt = Field(512, description="hidden width of the predictor")


class ClipHead(Settings):
    """CLIP: shared embedding, text transformer, and tokenizer."""

    embedding: PositiveInt = Field(512, description="width of the space that image and text share")
    text_width: PositiveInt = Field(512, description="width of the text transformer")
    text_layers: PositiveInt = Field(12, description="layers of the text transformer")
    text_heads: PositiveInt = Field(8, description="attention heads; divides text_width")
    context: int = Field(77, ge=3, description="tokens per caption, start and end token among them")
    vocabulary: int = Field(49_408, ge=259, description="most tokens of the byte-level BPE trained on the captions")
    temperature: PositiveFloat = Field(0.07, description="at the start; learned from there")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width {self.text_width} is not a multiple of text_heads {self.text_heads}")
        return self


HEADS = {"simclr": SimclrHead, "simsiam": SimsiamHead, "clip": ClipHead}


class Probe(Settings):
    """Online weighted nearest-neighbour probe (Wu et al. 2018, section 3.4; Caron et al. 2021)."""

    every: PositiveInt = Field(5_000, description="steps between two probes")
    images: int = Field(5_000, ge=2, description="most images used; without a labelled dataset 1 in 5 is a query")
    neighbours: PositiveInt = Field(20, description="k")
    temperature: PositiveFloat = Field(0.07, description="of the votes' weights exp(cosine / temperature)")


class Pretrain(Settings):
    """One run: method x pairs x augmentation x backbone x seed."""

    method: Literal["simclr", "simsiam", "clip", "untrained"] = Field(description="what is minimised")
    pairs: Literal["self", "language", "visual", "caption", "none"] = Field(description="what makes a positive pair")
    augmentation: Literal["simclr", "crop", "none"] = Field(description="what is done to each view")
    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet_small"] = Field("resnet50", description="network")
    image_size: int = Field(224, ge=16, description="side of a view, pixels")
    seed: int = Field(0, ge=0, description="of initialisation, order and augmentation")
    batch_size: int = Field(512, ge=2, description="pairs per step, all processes together")
    steps: int = Field(250_000, ge=0, description="optimizer steps; 0 for untrained alone")
    evaluated: tuple[int | Literal["last", "best"], ...] = Field(("last",), min_length=1, description="kept steps")
    lr: PositiveFloat = Field(1e-3, description="peak learning rate per 512 images of a batch")
    final_lr: float = Field(1e-6, ge=0, description="learning rate at the last step")
    warmup_steps: int = Field(5_000, ge=0, description="steps of linear warm-up")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's; none on gains, biases and the logit scale")
    precision: Literal["no", "fp16", "bf16"] = Field("no", description="mixed precision of accelerate")
    processes: PositiveInt = Field(1, description="processes, one GPU each; started by the stage itself")
    nodes: PositiveInt = Field(1, description="nodes that share the processes evenly; above 1 under SLURM alone")
    simclr: SimclrHead | None = Field(None, description="for method simclr alone")
    simsiam: SimsiamHead | None = Field(None, description="for method simsiam alone")
    clip: ClipHead | None = Field(None, description="for method clip alone")
    probe: Probe | None = Field(None, description="online probe; null: none")
    patience: PositiveInt | None = Field(None, description="stop after so many probes without gain; null: never")
    log_every: PositiveInt = Field(50, description="steps per row of the curve")
    checkpoint_every: PositiveInt = Field(5_000, description="steps between checkpoints; not in the key")
    cache_mb: int = Field(1_024, ge=0, description="keep decoded images in memory when all fit; not in the key")

    @model_validator(mode="before")
    @classmethod
    def _head_of_method(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("method") in HEADS and given.get(given["method"]) is None:
            return {**given, given["method"]: {}}
        return given

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
        if self.method == "untrained" and set(self.evaluated) != {"last"}:
            return f"evaluated is {list(self.evaluated)}, but an untrained run has only its last step"
        if self.steps and self.warmup_steps >= self.steps:
            return f"warmup_steps is {self.warmup_steps}, but the run has {self.steps} steps"
        for step in self.evaluated:
            if isinstance(step, int) and not 0 < step <= self.steps:
                return f"evaluated step {step} is not among the run's 1 to {self.steps}"
        return None

    def _wrong_probe(self) -> str | None:
        if self.probe is None and ("best" in self.evaluated or self.patience is not None):
            return "step best and patience need the online probe"
        if self.probe is not None and self.probe.every > self.steps:
            return f"probe.every is {self.probe.every}, but the run has {self.steps} steps"
        if self.patience is not None and any(isinstance(step, int) for step in self.evaluated):
            return "with patience a run may end early: evaluate last and best only, no numbered steps"
        return None
