"""BLIP-2's matching (ITM) and contrastive (ITC) scores (Li et al. 2023, arXiv 2301.12597, section 3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.models.judge import Judge
from workflow_scripts.models.text_norms import MatchedText

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from workflow_scripts.models.matcher import Matcher


@dataclass(frozen=True)
class PairScorer:
    matcher: "Matcher"

    def load(self, images: "list[Image.Image]") -> "Tensor":
        return self.matcher.checkpoint.pixels(images)

    def prepare(self, loaded: "Tensor") -> "tuple[Tensor, ...]":
        states = self.matcher.states_of(loaded)
        return states, self.matcher.image_vectors(states)

    def read(self, texts: Sequence[str]) -> "tuple[Sequence[str], Tensor]":
        return texts, self.matcher.text_vectors(texts)

    def scores(self, prepared: "tuple[Tensor, ...]", read: "tuple[Sequence[str], Tensor]") -> "tuple[Tensor, ...]":
        from workflow_scripts.models.matcher import itc

        (states, vectors), (texts, text_vectors) = prepared, read
        return self.matcher.itm(states, texts), itc(vectors, text_vectors)


def load(sources: Mapping[str, Path], device: str, settings: MatchedText) -> PairScorer:
    """The matcher, which reads images and captions as ``recaption`` does.

    Raises:
        PipelineError: no such model.
    """
    from workflow_scripts.models.matcher import load_matcher

    return PairScorer(load_matcher(sources["model"], device, settings.max_text_tokens, settings.text_norm))


JUDGE = Judge(
    name="blip2",
    summary="matching (ITM, a logit difference) and contrastive score (ITC, a cosine) of BLIP-2",
    settings=MatchedText,
    needs=("model",),
    own_model=False,
    scores=("itm", "itc"),
    load=load,
)
