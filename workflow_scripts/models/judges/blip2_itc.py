"""BLIP-2's contrastive score (ITC) alone, which needs no forward pass per pair of caption and image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.models.judge import Judge, Scorer
from workflow_scripts.models.judges import blip2
from workflow_scripts.models.text_norms import MatchedText

if TYPE_CHECKING:
    from torch import Tensor


class _Scorer(blip2.PairScorer):
    def prepare(self, images: Any) -> "tuple[Tensor, ...]":
        return super().prepare(images)[1:]

    def scores(self, prepared: "tuple[Tensor, ...]", read: "tuple[Sequence[str], Tensor]") -> "tuple[Tensor, ...]":
        from workflow_scripts.models.matcher import itc

        return (itc(prepared[0], read[1]),)


def load(sources: Mapping[str, Path], device: str, settings: MatchedText) -> Scorer:
    """The matcher of the judge ``blip2``; the same errors."""
    return _Scorer(blip2.load(sources, device, settings).matcher)


JUDGE = Judge(
    name="blip2_itc",
    summary="contrastive score (ITC, a cosine) of BLIP-2 alone, without a forward pass per pair",
    settings=MatchedText,
    needs=("model",),
    own_model=False,
    scores=("itc",),
    load=load,
)
