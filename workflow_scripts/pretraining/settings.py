"""Settings of one pretraining run, and the methods that it may use.

A method is one file in ``methods/``, found by :func:`~workflow_scripts.core.registry.discover`. All of them are in the
code digest of ``pretrain``, so a new file makes trainings stale; ``faithful-pairs accept`` states that it changes none.

Defaults are those of language-guided SSL (El Banani et al., CVPR 2023, and its code), but for those in docs/methods.md.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from operator import not_
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
from workflow_scripts.core.runtime.precision import Precision
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.models.backbones import BACKBONES, TRAINED_BY_NAME
from workflow_scripts.models.networks.settings import ExternalNetwork
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS, Blur, OddSide
from workflow_scripts.pretraining.method import PAIR_INPUTS, Method, PairKind, SeveralPartners, StepSettings, View

METHODS = discover("workflow_scripts.pretraining.methods", Method)
HEADS = {name: method.objective.settings for name, method in METHODS.items() if method.objective is not None}

# Two ways to give a length; a run has one of them.
EITHER = (("steps", "epochs"), ("warmup_steps", "warmup_epochs"))
INSTEAD = {name: other for pair in EITHER for name, other in (pair, pair[::-1])}
TRAINING = Precision(training=True)
BY_CAPTION: tuple[PairKind, ...] = ("language", "caption")
"""Kinds of pairs that are right only as far as captions describe their images."""
Tracker = Literal["tensorboard", "wandb"]


def step_name(step: int | str, epochs: bool = False) -> str:
    """A checkpoint's name in files and tables: ``step-000200``, ``epoch-0010`` with ``epochs``, ``last``, ``best``."""
    if isinstance(step, str):
        return step
    return f"epoch-{step:04d}" if epochs else f"step-{step:06d}"


class LogSpaced(Settings):
    """Log-spaced checkpoints: their steps grow by a constant factor, since networks change fastest at the start."""

    log_spaced: int = quantity(8, unit="checkpoints", ge=2, examples=[5])
    """Number of checkpoints from the first one to the last step, both included."""
    first: PositiveInt = quantity(1_000, unit="steps or epochs", examples=[10])
    """Step of the first one, or its epoch in a run with epochs; a shorter run keeps only the last."""

    def steps(self, end: int) -> list[int]:
        """Steps before ``end``, ascending; all but the first have two digits, so that people can name them."""
        if self.first >= end:
            return []
        found = {self.first}
        for at in range(1, self.log_spaced - 1):
            step = self.first * (end / self.first) ** (at / (self.log_spaced - 1))
            found.add(round(float(f"{step:.1e}")))
        return sorted(step for step in found if self.first <= step < end)


class StageIn(Settings):
    """Where each node keeps copies of the shards or packs that it reads; never changes results."""

    folder: str = Field(pattern=r"^[/$]", examples=["$TMPDIR", "/local/scratch"])
    """Folder on a disk of the node (or in its memory, such as /dev/shm, which counts as memory of the job); may contain
    environment variables of the job."""
    max_gb: PositiveFloat = quantity(500, unit="GB", examples=[2000])
    """Size of all copies in it; copies that no job uses are removed to make room for others. At least 5 % of the disk
    stays free."""


class HardwareSettings(Settings):
    """How a run uses GPUs and memory."""

    precision: Literal["no", "fp16", "bf16"] = Field("no", examples=["bf16"])
    """Mixed precision; no: float32."""
    processes: PositiveInt = quantity(1, unit="GPUs", examples=[4])
    """Processes of a run, with one GPU each; batch_size must be a multiple."""
    nodes: PositiveInt = quantity(1, unit="nodes", examples=[2])
    """Nodes that share the processes evenly; more than one only under SLURM."""
    micro_batch_size: int | None = quantity(None, unit="pairs", ge=2, exclude_if=not_, examples=[128])
    """Pairs that pass through the network at a time, over all processes; a divisor of batch_size. About a third more
    time, the memory of this many pairs, and the gradients of the whole batch (docs/methods.md). null: all pairs at
    once."""
    cache_mb: int = quantity(1_024, unit="MiB", ge=0, examples=[8192])
    """Memory for decoded images, which are kept if all fit."""
    stage_in: StageIn | None = Field(None, exclude_if=not_, examples=[{"folder": "$TMPDIR"}])
    """Where each node that trains keeps copies of shards or packs (docs/cluster.md); null: no copies."""


class PairSettings(Settings):
    """What is done with images without a partner, and how much each pair counts."""

    unpaired: Literal["drop", "self"] = Field("drop", exclude_if="drop".__eq__, examples=["self"])
    """What is done with images without a partner in the pair table. drop: they are left out; self: they are paired with
    themselves."""
    pair_weight: Literal["none", "itm", "agreement"] = Field("none", exclude_if="none".__eq__, examples=["itm"])
    """Score by which a pair counts less in the loss if its captions are unlikely to fit their images (docs/methods.md).
    none: all count the same; itm: the matcher's probability that caption and image belong together; agreement: the
    similarity of the original and the generated caption."""

    @property
    def weighted(self) -> bool:
        """Whether pairs have weights."""
        return self.pair_weight != "none"


class Probe(Settings):
    """Online probe: weighted nearest neighbours (Wu et al. 2018, section 3.4; Caron et al. 2021)."""

    every: PositiveInt = quantity(5_000, unit="steps", examples=[1000])
    """Interval between probes."""
    images: int = quantity(5_000, unit="images", ge=2, examples=[1000])
    """Maximum number of training images of probe_dataset that vote; its validation images, at most 10,000, are
    classified. Without probe_dataset: of the study's images that vote and are classified, together."""
    neighbours: PositiveInt = quantity(20, unit="neighbours", examples=[5])
    """Number of nearest neighbours that vote."""
    temperature: PositiveFloat = Field(0.07, examples=[0.1])
    """Temperature of the votes, whose weights are exp(cosine / temperature)."""


class _Run(PairSettings, HardwareSettings):
    """:class:`Pretrain` without the sections of the methods."""

    # Settings with exclude_if came later: at their defaults they are in no key, so earlier trainings keep theirs.
    method: Annotated[str, OneOf(METHODS)] = Field(description=f"method of pretraining. {listed(METHODS)}")
    pairs: PairKind
    """What makes a positive pair."""
    augmentation: Annotated[str, OneOf(AUGMENTATIONS)] = Field(
        description=f"augmentation of each view. {listed(AUGMENTATIONS)}"
    )
    network: ExternalNetwork | None = Field(None, exclude_if=not_)
    """The network from elsewhere; null for networks that are trained here."""
    backbone: Annotated[str, OneOf(BACKBONES)] | Annotated[str, Field(pattern=TRAINED_BY_NAME)] = Field(
        "resnet50",
        description=f"network. {listed(BACKBONES)}; or, with random weights, timm:<architecture> or "
        "torchvision:<architecture>",
        examples=["resnet18", "timm:vit_tiny_patch16_224"],
    )
    image_size: int = quantity(224, unit="px", ge=16, examples=[96])
    """Side of a view."""
    blur_kernel: OddSide | None = quantity(None, unit="px", exclude_if=not_, examples=[15])
    """Side of the Gaussian blur's kernel, odd; null: a tenth of image_size, as in SimCLR (23 at 224 px)."""
    blur: Blur = Field("sampled", exclude_if="sampled".__eq__, examples=["old_kornia"])
    """Standard deviation of the Gaussian blur, in pixels. sampled: from 0.1 to 2.0, the same in both directions;
    old_kornia: always 2.0 along rows and 0.1 along columns, as kornia 0.6.8 and 0.6.9 blur if they are given this
    range."""
    seed: int = Field(0, ge=0)
    """Seed of initialisation, order and augmentation."""
    batch_size: int = quantity(512, unit="pairs", ge=2, examples=[256])
    """Pairs per step, over all processes."""
    epochs: PositiveInt | None = quantity(None, unit="epochs", examples=[100])
    """Length in epochs, instead of steps: passes over the images that have a partner (with steps: null)."""
    steps: Annotated[int, Field(ge=0)] | None = quantity(250_000, unit="steps", examples=[100_000])
    """Optimizer steps; 0 only for methods that don't train (untrained); null: see epochs."""
    checkpoints: tuple[PositiveInt, ...] = quantity(
        LogSpaced().model_dump(), unit="steps or epochs", validate_default=True, examples=[[1000, 10_000, 100_000]]
    )
    """Steps whose weights are kept in addition to last and best: a list, or log-spaced; in a run with epochs, these are
    epochs."""
    lr: PositiveFloat = Field(1e-3, examples=[5.0e-4])
    """Peak learning rate, per 512 pairs in a batch: a run reaches lr * batch_size / 512."""
    final_lr: float = Field(1e-6, ge=0, examples=[0])
    """Learning rate at the last step."""
    initial_lr: float = Field(0, ge=0, exclude_if=not_, examples=[1.0e-5])
    """Learning rate from which the warm-up rises, as it would be before the first step."""
    warmup_epochs: PositiveFloat | None = quantity(None, unit="epochs", examples=[10])
    """Length of the linear warm-up in epochs, instead of warmup_steps (which is then null)."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = quantity(5_000, unit="steps", examples=[1000])
    """Length of the linear warm-up; null: see warmup_epochs."""
    weight_decay: float = Field(0.01, ge=0, examples=[0.05])
    """Weight decay of AdamW; see norm_weight_decay for gains, biases and the logit scale."""
    norm_weight_decay: float = Field(0, ge=0, exclude_if=not_, examples=[0.01])
    """Weight decay of gains, biases and the logit scale: all parameters of at most one dimension."""
    probe: Probe | None = None
    """Online probe during training; null: none."""
    patience: PositiveInt | None = quantity(None, unit="probes", examples=[5])
    """A run stops after this many probes that found no new best checkpoint; null: never."""
    log_every: PositiveInt = quantity(50, unit="steps", examples=[100])
    """Steps per row of the training curve, which also has rows where a probe or statistics of features are measured."""
    checkpoint_every: PositiveInt = quantity(5_000, unit="steps", examples=[1000])
    """Interval between checkpoints for resuming."""
    tracker: Tracker | None = Field(None, exclude_if=not_, examples=["tensorboard"])
    """Experiment tracker that also shows the curve (docs/output.md). tensorboard: event files in
    results/.trackers/tensorboard, never a network request; wandb: Weights & Biases, offline in results/.trackers/wandb
    unless WANDB_MODE is set; null: none."""

    @model_validator(mode="before")
    @classmethod
    def _head_of_method(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("method") in HEADS and given.get(given["method"]) is None:
            return {**given, given["method"]: {}}
        return given

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, given: Any) -> Any:
        for steps, epochs in EITHER if isinstance(given, dict) else ():
            if given.get(epochs) is not None:
                if given.get(steps) is not None:
                    raise ValueError(
                        f"{steps} {given[steps]} and {epochs} {given[epochs]} are both given; one must be null"
                    )
                given = {**given, steps: None}
            elif given.get(steps, 0) is None:
                raise ValueError(f"neither {steps} nor {epochs} is given")
        return given

    @field_validator("checkpoints", mode="before", json_schema_input_type=tuple[PositiveInt, ...] | LogSpaced)
    @classmethod
    def _spacing(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, Mapping):
            return given
        try:
            return LogSpaced.model_validate(dict(given)).steps(info.data.get("epochs") or info.data.get("steps") or 0)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @field_validator("checkpoints")
    @classmethod
    def _ascending(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(steps)))

    @model_serializer(mode="wrap")
    def _own_head_alone(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The key of a run must not depend on which other methods exist, nor on what it does without.
        unused = HEADS.keys() - {self.method} | {epochs for _, epochs in EITHER if getattr(self, epochs) is None}
        unused |= set() if self.blurs else {"blur_kernel", "blur"}
        return {name: value for name, value in handler(self).items() if name not in unused}

    @property
    def trains(self) -> bool:
        """Whether the run trains: an untrained one keeps the initial weights."""
        return METHODS[self.method].objective is not None

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs that it learns from, besides images."""
        return METHODS[self.method].inputs(self.pairs) | ({"faithfulness"} if self.weighted else frozenset())

    @property
    def views(self) -> tuple[View, ...]:
        """The views of each pair, those of further partners last."""
        more = self.head.partners if isinstance(self.head, SeveralPartners) else 1
        return (*METHODS[self.method].views, *(View("partner", partner=number) for number in range(1, more)))

    @property
    def passes(self) -> float:
        """Cost of one pair's forward pass, in forward passes of the backbone."""
        return METHODS[self.method].passes + len(self.views) - len(METHODS[self.method].views)

    @property
    def augmentations(self) -> set[str]:
        """Names of those of its views."""
        return {view.augmentation or self.augmentation for view in METHODS[self.method].views} | {self.augmentation}

    @property
    def blurs(self) -> bool:
        """Whether some of its views are blurred."""
        return any(AUGMENTATIONS[name].colour for name in self.augmentations)

    @property
    def entries(self) -> dict[str, set[str]]:
        """The entries of registries that the run uses."""
        return {
            "pretraining.methods": {self.method},
            "pretraining.augmentations": self.augmentations,
            "models.backbones": {self.backbone},
            "models.networks.libraries": {self.backbone.partition(":")[0]},
            "models.networks.layouts": set() if self.network is None else {self.network.layout},
        }

    @property
    def gpus(self) -> int:
        """GPUs that the run takes: one for each process."""
        return self.processes if self.trains else 0

    @property
    def shown_backbone(self) -> str:
        """What names and tables call the network."""
        return self.backbone.replace(":", "-") if self.network is None else self.network.name

    @property
    def peak_lr(self) -> float:
        """The highest learning rate of the run; ``lr`` is that of a batch of 512."""
        return self.lr * self.batch_size / 512

    @property
    def head(self) -> Settings | None:
        """The settings of the run's method, the section of its name."""
        return getattr(self, self.method) if self.trains else None

    @property
    def length(self) -> int:
        """Length of the run: in epochs if it has ``epochs``, else in steps."""
        return self.epochs or self.steps or 0

    @property
    def kept(self) -> list[int | str]:
        """All checkpoints that the run keeps if it is not stopped early: steps or epochs, ``best``, ``last``."""
        return [*self.checkpoints, *(["best"] if self.probe is not None else []), "last"]

    def checkpoint_name(self, step: int | str) -> str:
        """Name of one of its checkpoints in files and tables: ``step-000200``, ``epoch-0010``, ``last``, ``best``."""
        return step_name(step, epochs=self.epochs is not None)

    @property
    def sure_length(self) -> int:
        """Steps or epochs that the run is certain to do: the stopping rule can't end it before."""
        if self.patience is None or self.probe is None:
            return self.length
        # How many epochs these steps are is known once the pairs are.
        return 0 if self.epochs else min(self.length, self.probe.every * (self.patience + 1))

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for complaint in chain(_wrong_method(self), _wrong_sizes(self), _wrong_steps(self)):
            raise ValueError(complaint)  # only the first, as checks may rely on those before them
        return self


def _wrong_method(run: _Run) -> Iterator[str]:
    method = METHODS[run.method]
    if run.pairs not in method.pairs:
        yield f"method {run.method} goes with pairs of kind {' or '.join(method.pairs)}, not with {run.pairs}"
    if run.augmentation not in method.augmentations:
        fitting = " or ".join(method.augmentations)
        yield f"method {run.method} goes with augmentation {fitting}, not with {run.augmentation}"
    if run.unpaired == "self" and PAIR_INPUTS.get(run.pairs) != "pairs":
        yield f"unpaired {run.unpaired} goes with a pair table, but the pairs of this run are {run.pairs}"
    for name in HEADS:
        if name != run.method and getattr(run, name) is not None:
            yield f"settings of {name} given for method {run.method}"
    if run.weighted and not method.weights:
        fitting = " or ".join(name for name, other in METHODS.items() if other.weights)
        yield f"pair_weight {run.pair_weight} goes with method {fitting}, not with {run.method}"
    if run.weighted and run.pairs not in BY_CAPTION:
        yield f"pair_weight {run.pair_weight} goes with pairs of kind {' or '.join(BY_CAPTION)}, not with {run.pairs}"


def _wrong_sizes(run: _Run) -> Iterator[str]:
    if run.blur_kernel and run.blur_kernel >= 2 * run.image_size:
        yield f"blur_kernel {run.blur_kernel} is too large for image_size {run.image_size}"
    if run.batch_size % run.processes:
        yield f"batch_size {run.batch_size} is not a multiple of processes {run.processes}"
    if (size := run.micro_batch_size) and (run.batch_size % size or run.batch_size == size):
        yield f"micro_batch_size {size} is not a smaller divisor of batch_size {run.batch_size}"
    if size and size % run.processes:
        yield f"micro_batch_size {size} is not a multiple of processes {run.processes}"
    if run.processes % run.nodes:
        yield f"processes {run.processes} are not a multiple of nodes {run.nodes}"


def _wrong_steps(run: _Run) -> Iterator[str]:
    if run.trains != (run.length > 0):
        wanted = "at least 1" if run.trains else "0"
        yield f"steps is {run.steps}, but method {run.method} needs {wanted}"
    if run.steps and run.warmup_steps and run.warmup_steps >= run.steps:
        yield f"warmup_steps is {run.warmup_steps}, but the run has {run.steps} steps"
    if run.epochs and run.warmup_epochs and run.warmup_epochs >= run.epochs:
        yield f"warmup_epochs is {run.warmup_epochs}, but the run has {run.epochs} epochs"
    if run.checkpoints and run.checkpoints[-1] > run.length:
        unit = "epochs" if run.epochs else "steps"
        yield f"checkpoint {run.checkpoints[-1]} is not among the run's {unit}, 1 to {run.length}"
    # Of epochs: once the pairs are counted.
    if (
        run.steps
        and isinstance(run.head, StepSettings)
        and (late := run.head.without_effect(run.steps, run.batch_size))
    ):
        yield late
    if run.initial_lr and not (run.warmup_steps or run.warmup_epochs):
        yield f"initial_lr is {run.initial_lr:g}, but the run has no warm-up"
    if run.initial_lr > run.peak_lr:
        given = f"lr {run.lr:g} and batch_size {run.batch_size}"
        yield f"initial_lr is {run.initial_lr:g}, above the peak {run.peak_lr:g} of {given}"
    if run.probe is None and run.patience is not None:
        yield "patience needs the online probe"
    if run.probe is not None and run.steps is not None and run.probe.every > run.steps:
        yield f"probe.every is {run.probe.every}, but the run has {run.steps} steps"


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
