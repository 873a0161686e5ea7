"""The declaration of a pretraining method."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, PositiveInt

from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS

if TYPE_CHECKING:  # methods import these from here
    import numpy as np
    from torch import Tensor as Tensor
    from torch import nn as nn

    from workflow_scripts.pretraining.network import Batch as Batch
    from workflow_scripts.pretraining.network import Network as Network

PairKind = Literal["self", "language", "visual", "caption", "labels", "none"]
"""What makes a positive pair: two views of an image, images with similar captions, similar images, or an image and
its caption; labels: two views of an image whose label is known; none for networks that are not trained."""
PAIR_INPUTS: Mapping[PairKind, str] = {"language": "pairs", "visual": "pairs", "labels": "truth"}
"""The input of a training that its pairs are read from. Other kinds pair each image with itself; for ``caption``, an
image that lacks what the method learns from is left out."""

Signal = Literal["tokens", "caption_ids", "vectors", "labels"]
"""What a method can learn from besides images: fields of :class:`~workflow_scripts.pretraining.network.Batch`."""
SIGNAL_INPUTS: Mapping[Signal, str] = {
    "tokens": "tokens",
    "caption_ids": "captions",
    "vectors": "vectors",
    "labels": "truth",
}
"""The input of a training that a signal is read from."""
CAPTION_SIGNALS: tuple[Signal, ...] = ("tokens", "caption_ids", "vectors")
"""Signals that are made from captions; images without one are left out."""


class LabelSettings(Settings):
    """Settings that a method shares with all methods that learn from ground-truth labels."""

    label: str = Field("concept", examples=["texture"])
    """Ground-truth label that is predicted, as in pairs of kind oracle (only the demo has labels)."""


class SeveralPartners(Settings):
    """Settings that a method shares with all methods that take several partners of an image into a batch."""

    partners: PositiveInt = quantity(1, unit="partners", examples=[3])
    """Partners per image in a batch, each a view of its own; the pair table needs at least as many (k)."""


class StepSettings(Settings):
    """Settings that a method shares with all methods some of whose settings are steps of a run."""

    @abstractmethod
    def without_effect(self, steps: int, batch_size: int) -> str | None:
        """The setting that a run of ``steps`` steps of ``batch_size`` pairs is too short for; None if there is none."""


@dataclass(frozen=True)
class View:
    """One augmented image of each pair.

    Attributes:
        image: which image of the pair: its source, or the partner, which is the source again in pairs of an image
            with itself.
        augmentation: its name; None: the run's.
        partner: which of several different partners, counted from 0.
    """

    image: Literal["source", "partner"]
    augmentation: str | None = None
    partner: int = 0


class Sizes(NamedTuple):
    """What the sizes of heads depend on besides the settings and the backbone; 0: the run has none.

    Attributes:
        vocabulary: number of ids of the tokenizer.
        end: id of its end token.
        context: number of ids of the longest possible caption.
        labels: number of different labels.
        vectors: width of the captions' vectors.
    """

    vocabulary: int = 0
    end: int = 0
    context: int = 0
    labels: int = 0
    vectors: int = 0


@dataclass(frozen=True, kw_only=True)
class Objective:
    """How a method trains a backbone.

    Attributes:
        settings: class of the method's own settings, which are the section of its name in a config; a subclass of
            :class:`LabelSettings` if it learns from labels.
        heads: (settings, width of the backbone's features, sizes) -> the modules that are trained with the backbone,
            with random weights from torch's global generator. What a method must remember between steps, such as a
            queue, is a buffer of one of them: it is part of the checkpoint. No buffer is copied between processes, so
            each must update it equally (``losses.gather.all_rows``).
        embed: (network, settings, batch) -> what the loss compares: tensors of what backbone and heads compute, each
            with one row per pair, which depends on other pairs through batch norms alone. The batch may be a
            micro-batch. In mixed precision it is computed inside autocast, and what it gives becomes float32.
        loss: (network, settings, batch, rows) -> scalar loss of this process's part of a batch, from ``rows`` that
            ``embed`` returned for it; float32. The mean over processes must be the loss of the joined batch
            (``losses.gather.all_rows``). It is called once per step, so it is here that a queue takes rows. It may
            use weights of heads, but calls neither them nor the backbone.
        start: (settings, backbone) changes the initial weights of the backbone. None: they are those of all methods.
        before_update: (network, settings, step) is called with the gradients of a step, before the optimizer uses
            them; a parameter whose gradient is set to None stays as it is. None: nothing.
        calibrate: (settings, vectors (b, d) of the captions of a sample of batches) -> the settings to train with, and
            what ``run.json`` says about them. It is called once, before the training. None: the settings as they are.
    """

    settings: type[Settings]
    heads: Callable[[Any, int, Sizes], "Mapping[str, nn.Module]"]
    embed: "Callable[[Network, Any, Batch], tuple[Tensor, ...]]"
    loss: "Callable[[Network, Any, Batch, Sequence[Tensor]], Tensor]"
    start: "Callable[[Any, nn.Module], None] | None" = None
    before_update: "Callable[[Network, Any, int], None] | None" = None
    calibrate: "Callable[[Any, Sequence[np.ndarray]], tuple[Settings, dict[str, float]]] | None" = None


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of pretraining.

    Attributes:
        name: in configs and run names.
        summary: one sentence.
        objective: how it trains; None: it does not.
        external: whether the network is one of the section ``networks``.
        pairs: kinds of pairs that it accepts; ``caption`` alone if a run names an arm instead of a pair table,
            ``labels`` alone if it learns from labels, ``none`` alone if it does not train.
        augmentations: names of the augmentations that it accepts for views that have none of their own.
        views: images that are decoded and augmented per pair, in the order of ``Batch.views``; further partners follow
            (:class:`SeveralPartners`).
        learns: what it learns from besides images. The captions are those of the run's arm or, with a pair table, of
            the table's arm; those of the source in both cases. At most one signal is made from captions, since images
            are left out by it.
        weights: whether its loss takes the weights of pairs (``Batch.weights``, setting ``pair_weight``).
        passes: cost of one pair's forward pass, in forward passes of the backbone, without further partners.
    """

    name: str
    summary: str
    objective: Objective | None
    external: bool = False
    pairs: tuple[PairKind, ...]
    augmentations: tuple[str, ...] = tuple(AUGMENTATIONS)
    views: tuple[View, ...]
    learns: tuple[Signal, ...] = ()
    weights: bool = False
    passes: float

    def __post_init__(self) -> None:
        if len(several := [signal for signal in self.learns if signal in CAPTION_SIGNALS]) > 1:
            raise ValueError(f"method {self.name} learns from {' and '.join(several)}, but only one can be of captions")

    @property
    def by_arm(self) -> bool:
        """Whether a run names an arm instead of a pair table."""
        return "caption" in self.pairs

    @property
    def captions(self) -> bool:
        """Whether it learns from captions, as text, tokens or vectors."""
        return any(signal in CAPTION_SIGNALS for signal in self.learns)

    @property
    def labels(self) -> bool:
        """Whether it learns from ground-truth labels, which only a study with ``demo_world`` has."""
        return "labels" in self.learns

    def inputs(self, pairs: PairKind) -> frozenset[str]:
        """The inputs that a training with pairs of this kind reads, besides images."""
        of_pairs = {PAIR_INPUTS[pairs]} if pairs in PAIR_INPUTS else set()
        return frozenset(of_pairs | {SIGNAL_INPUTS[signal] for signal in self.learns})


TWO_VIEWS = (View("source"), View("partner"))
"""The views of methods that compare the two images of a pair."""
