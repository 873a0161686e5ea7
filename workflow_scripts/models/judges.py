"""Judges, one row each: models that score how well a caption fits an image.

Imported with every config, so models are imported inside the functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor


class Scorer(Protocol):
    """A loaded judge."""

    def prepare(self, images: "Sequence[Image.Image]") -> Any:
        """Features of n RGB images that scores need; computed once for any number of captions."""

    def scores(self, prepared: Any, texts: Sequence[str]) -> "tuple[Tensor, Tensor]":
        """Prepared images and n captions -> (n,) float32 matching (ITM) and (n,) float32 contrastive (ITC) score."""

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text that is scored, before truncation."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A way to load a judge.

    Attributes:
        name: the setting ``judge`` of ``recaption``.
        summary: one phrase.
        load: (model folder, device, maximum number of tokens of a caption, entry of ``TEXT_NORMS``) -> the judge.
    """

    name: str
    summary: str
    load: Callable[[Path, str, int, str], Scorer]


def _blip2(folder: Path, device: str, max_text_tokens: int, text_norm: str) -> Scorer:
    from workflow_scripts.models.matcher import load_matcher

    return load_matcher(folder, device, max_text_tokens, text_norm)


JUDGES = by_name(
    [
        Judge(
            name="blip2",
            summary="image-text matching (ITM) and contrastive (ITC) score of BLIP-2",
            load=_blip2,
        )
    ]
)
