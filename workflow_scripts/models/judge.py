"""The declaration of a judge: a model that scores how well a caption fits an image.

Imported with every config, so torch is imported inside functions only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class Scorer(Protocol):
    """A loaded judge. Images and captions pass their towers once, for any number of scores."""

    def load(self, images: list[Any]) -> Any:
        """What ``prepare`` needs of m images, RGB or what stands for them, on the CPU; may run in several threads."""

    def prepare(self, loaded: Any) -> "tuple[Tensor, ...]":
        """What scores need of m images that were loaded: tensors with m rows each."""

    def read(self, texts: Sequence[str]) -> Any:
        """What scores need of n captions."""

    def scores(self, prepared: "tuple[Tensor, ...]", read: Any) -> "tuple[Tensor, ...]":
        """n prepared images and what was read of n captions -> (n,) float32 for each of the judge's ``scores``."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A kind of judge.

    Attributes:
        name: the setting ``kind`` of a judge.
        summary: one phrase.
        settings: class of the kind's settings, which are keys of the judge in a config. None by default. Kinds
            may share a setting if they define it identically.
        needs: external sources that ``load`` takes: ``model``; ``text``, a sentence encoder; ``photos``, captioned
            photos (:mod:`workflow_scripts.models.cross_fit`); ``table``, scores.
        own_model: whether it needs a ``source`` of its own; without one it uses the matcher of ``recaption``.
        by_reference: whether captions of the arm ``reference`` stand for images: ``load`` is given m captions.
        by_key: whether keys stand for images: ``load`` is given m keys. Its score of a pair may be NaN, unknown.
        scores: names of its scores; a higher one means a better fit.
        load: (path of each needed source, device, settings) -> the judge.
    """

    name: str
    summary: str
    settings: type[Settings] = Settings
    needs: tuple[str, ...]
    own_model: bool = True
    by_reference: bool = False
    by_key: bool = False
    scores: tuple[str, ...]
    load: Callable[[Mapping[str, Path], str, Any], Scorer]
