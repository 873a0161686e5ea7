"""The declaration of a pretraining method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

PairKind = Literal["self", "language", "visual", "caption", "labels", "none"]
"""What makes a positive pair: two views of an image, images with similar captions, similar images, or an image and
its caption; labels: two views of an image whose label is known; none for networks that are not trained."""
PAIR_INPUTS: Mapping[PairKind, str] = {
    "language": "pairs",
    "visual": "pairs",
    "caption": "captions",
    "labels": "truth",
}
"""The input of a training that its pairs are read from; other kinds need none."""


class CaptionSettings(Settings):
    """Settings that a method shares with all methods that learn from captions: the tokenizer's."""

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


class LabelSettings(Settings):
    """Settings that a method shares with all methods that learn from ground-truth labels."""

    label: str = Field(
        "concept",
        description="ground-truth label that is predicted, as in pairs of kind oracle (only the demo has labels)",
        examples=["texture"],
    )


@dataclass(frozen=True, kw_only=True)
class Objective:
    """How a method trains a backbone.

    Attributes:
        settings: class of the method's own settings, which are the section of its name in a config; a subclass of
            :class:`CaptionSettings` if it learns from captions, of :class:`LabelSettings` if from labels.
        heads: (settings, width of the backbone's features, size of the tokenizer's vocabulary, number of labels, or
            0) -> the modules that are trained with the backbone, with random weights from torch's global generator.
        loss: (network, settings, first side, second side) -> scalar loss of this process's part of a batch of b
            pairs. A side is (b, 3, s, s) float32 normalised images; for captions, the second is (b, context) int64
            tokens; for labels, (b,) int64 labels follow as a third. The mean over processes must be the loss of the
            joined batch (``distributed.gather.all_rows``).
    """

    settings: type[Settings]
    heads: Callable[[Any, int, int], "Mapping[str, nn.Module]"]
    loss: "Callable[..., Tensor]"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of pretraining.

    Attributes:
        name: in configs and run names.
        summary: one sentence.
        objective: how it trains; None: it does not.
        external: whether the network is one of the section ``networks``.
        pairs: kinds of pairs that it accepts; ``caption`` alone if it learns from captions, ``labels`` alone if it
            learns from labels, ``none`` alone if it does not train.
        augmentations: names of the augmentations that it accepts.
        views: images that are decoded and augmented per pair.
        passes: cost of one pair's forward pass, in forward passes of the backbone.
    """

    name: str
    summary: str
    objective: Objective | None
    external: bool
    pairs: tuple[PairKind, ...]
    augmentations: tuple[str, ...]
    views: int
    passes: float

    @property
    def captions(self) -> bool:
        """Whether its pairs are images and their captions, so that a run names an arm instead of a pair table."""
        return "caption" in self.pairs

    @property
    def labels(self) -> bool:
        """Whether it learns from ground-truth labels, which only a study with ``demo_world`` has."""
        return "labels" in self.pairs
