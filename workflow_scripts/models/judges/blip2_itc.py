"""BLIP-2's contrastive score (ITC) alone, which needs no forward pass per pair of caption and image."""

from collections.abc import Mapping
from pathlib import Path

from workflow_scripts.models.judge import Judge, Scorer
from workflow_scripts.models.judges import blip2
from workflow_scripts.models.text_norms import MatchedText


def load(sources: Mapping[str, Path], device: str, settings: MatchedText) -> Scorer:
    """The matcher of the judge ``blip2``; the same errors."""
    from workflow_scripts.models.matcher import itc
    from workflow_scripts.models.vector_scorer import VectorScorer

    matcher = blip2.load(sources, device, settings)
    return VectorScorer(matcher.load, lambda pixels: matcher.prepare(pixels)[1], matcher.text_vectors, itc)


JUDGE = Judge(
    name="blip2_itc",
    summary="contrastive score (ITC, a cosine) of BLIP-2 alone, without a forward pass per pair",
    settings=MatchedText,
    needs=("model",),
    own_model=False,
    scores=("itc",),
    load=load,
)
